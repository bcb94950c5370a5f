"""HTTP calls: the client, its proxies, TLS and errors."""
