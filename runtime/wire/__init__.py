"""What travels: requests parsed field by field, and answers read as they pass."""
