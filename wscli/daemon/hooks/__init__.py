"""Commands that are run for what happens on a channel."""

from wscli.daemon.hooks.service import Hooks

__all__ = ["Hooks"]
