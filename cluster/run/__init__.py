"""One run of `baseload serve`: its start as it is seen, its files, its end."""
