"""The manager: everything that acts."""
