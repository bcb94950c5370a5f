"""A log of one channel in one SQLite file."""
