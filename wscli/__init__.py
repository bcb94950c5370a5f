"""wscli: one manager, one connection a channel, shared by every script of a machine."""

__version__ = "0.1.0"
