"""The command `baseload plan`."""
