"""The rules of the configuration, made ready once: what a request may ask, in what order."""
