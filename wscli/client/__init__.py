"""The Python API: what the commands do, for programs."""
