"""What `baseload check` finds in a Serve config file: all that a start would stumble over later."""
