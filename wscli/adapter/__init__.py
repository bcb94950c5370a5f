"""The drop-in for programs that use `websockets`: one import is changed, and the manager holds the connection."""
