"""`baseload simulate`."""
