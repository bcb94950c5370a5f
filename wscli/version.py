"""The version of wscli, in a file of its own that imports nothing."""

__all__ = ["__version__"]

__version__ = "0.1.0"
