"""The local HTTP and WebSocket face: unmodified clients, the status page, metrics."""
