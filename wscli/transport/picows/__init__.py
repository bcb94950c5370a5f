"""The fast adapter, on picows; it needs the extra ``fast``."""
