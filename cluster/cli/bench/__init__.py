"""`baseload bench`."""
