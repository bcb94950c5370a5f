"""Databases of ours: SQLite files, opened, locked and watched."""
