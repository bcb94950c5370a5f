"""A connection to a server: attempts, dials, keep-alive, budget."""
