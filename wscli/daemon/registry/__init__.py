"""Names to channels: the manager, template channels, reload."""
