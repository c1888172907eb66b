"""The command `baseload bench`."""
