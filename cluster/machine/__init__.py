"""One machine: its cards, ports and processes."""
