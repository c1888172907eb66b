"""`baseload check --matrix`: the map of data flows as lines, and as a page."""
