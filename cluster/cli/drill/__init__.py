"""`baseload drill`: what users would see if targets failed."""
