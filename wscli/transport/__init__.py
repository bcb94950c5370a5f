"""Opens WebSocket connections: one interface (``connection``), and two adapters behind it."""
