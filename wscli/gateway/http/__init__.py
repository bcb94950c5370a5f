"""The HTTP pages of the gateway: status, health, statistics and metrics."""
