"""An example of a WebSocket back end: short-lived tokens, notifications, consultations and calls.

``wscli demo`` runs it (``wscli.demo.server.DemoServer``), and ``demo.yaml`` beside this file declares its channels.
"""
