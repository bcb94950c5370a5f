"""The default adapter, on the Sans-I/O layer of ``websockets``."""
