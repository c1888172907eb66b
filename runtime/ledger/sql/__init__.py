"""Stores of the ledger that are SQL databases: SQL and its drivers are here and nowhere else."""
