"""What a request says without being asked: personal data in its text, and its language."""
