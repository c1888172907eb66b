"""The `baseload` command and its subcommands."""
