"""Token sources, and the broker that fetches, caches and refreshes for all users."""
