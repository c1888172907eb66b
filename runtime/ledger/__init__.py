"""The durable account of every attempt: what was intended, how it ended, what it cost."""
