"""Readers: cursors on histories, and the sockets they write to."""
