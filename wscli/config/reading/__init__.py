"""From a file to a tree of nodes with lines and columns: bytes, text, YAML, environment variables."""
