"""One file a source: its keys, and its one method ``fetch``."""
