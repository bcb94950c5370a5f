"""A local server that replays what ``tail --json`` wrote, for ``wscli mock``.

``MockServer`` (``wscli.mock.server``) serves a ``Recording`` (``wscli.mock.recording``), a file that was checked whole.
"""
