"""A channel without I/O: states, events, commands, and the machine that decides."""
