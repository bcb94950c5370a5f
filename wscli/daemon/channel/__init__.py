"""A channel: who uses it, what it received, what it says of itself."""
