"""A local server for ``wscli mock`` that replays the output of ``tail --json``."""
