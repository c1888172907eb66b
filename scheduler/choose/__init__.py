"""What becomes of a request: which targets may take it, which one gets it, and why."""
