"""Which upstream a channel is on, and all that it sees of it."""
