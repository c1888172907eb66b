"""What users would see if targets failed: the real gateway in process, with scripted targets."""
