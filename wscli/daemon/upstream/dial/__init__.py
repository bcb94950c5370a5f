"""One dial: tokens, a place in the connect budget, the filled templates, the connection."""
