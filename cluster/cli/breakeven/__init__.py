"""The command `baseload breakeven`."""
