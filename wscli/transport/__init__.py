"""The wire: how a connection is opened, read and written."""
