"""Which data may go where, and why: the map that a review of privacy asks for, from a config."""
