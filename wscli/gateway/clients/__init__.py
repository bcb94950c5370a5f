"""Clients of channels: what each gets, what it sends, and how it is closed."""
