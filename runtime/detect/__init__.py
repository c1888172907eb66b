"""What the text of a request says without being asked."""
