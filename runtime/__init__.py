"""One request, from socket to settled bill."""
