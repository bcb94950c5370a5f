"""A local server for ``wscli mock`` that replays the output of ``tail --json``.

``MockServer`` (``wscli.mock.server``) serves a ``Recording`` (``wscli.mock.recording``), a file of records.
"""
