"""`baseload breakeven`."""
