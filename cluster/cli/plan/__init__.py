"""`baseload plan`."""
