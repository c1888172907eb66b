"""One accepted request: who asks, what it asks, and how big it is."""
