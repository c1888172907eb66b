"""Which models may answer a request, which of them should, and in which order they are asked."""
