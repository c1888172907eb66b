"""What a request asks an engine to hold its answer to: fitted, checked, and compiled once here."""
