"""A Hugging Face ``config.json``, read into what the arithmetic needs."""
