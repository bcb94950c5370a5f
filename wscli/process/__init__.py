"""The manager's process: its life, its instance, its log."""
