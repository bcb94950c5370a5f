"""Opens WebSocket connections: one interface (``link``), and two adapters behind it."""
