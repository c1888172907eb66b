"""The command `baseload simulate`."""
