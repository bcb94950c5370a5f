"""The embedded demo back end: a small telehealth-like server, and a peer that can be told to misbehave.

``DemoServer`` (``wscli.demo.server``) runs it in a program or a test; ``python -m wscli.demo`` in its own process.
"""
