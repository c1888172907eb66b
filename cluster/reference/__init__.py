"""Documents that are read off the code: every configuration key, every metric, every header."""
