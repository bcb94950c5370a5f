"""Commands that run for changes of a channel's state and for its messages."""

from wscli.daemon.hooks.service import Hooks

__all__ = ["Hooks"]
