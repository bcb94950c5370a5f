"""The configuration: YAML with line numbers in, a ``Plan`` out."""
