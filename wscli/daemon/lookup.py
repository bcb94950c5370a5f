"""Which channel a URL belongs to."""
