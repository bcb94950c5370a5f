"""How other parts of the program follow a manager."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from wscli.daemon.channel.channel import Channel

__all__ = ["Observer"]


class Observer:
    """Is told what happens to a manager's channels; each method does nothing unless it is overridden."""

    def channel_made(self, channel: Channel) -> None:
        """A channel was made from a template; nothing has happened to it yet."""

    def channel_changed(self, channel: Channel) -> None:
        """What ``status`` shows of a channel changed; for a removed channel this is the last call."""

    def reloading(self) -> AbstractContextManager[None]:
        """Give a context that is open while the file is read and applied; an error of the reload passes through it."""
        return nullcontext()

    def reloaded(self) -> None:
        """The manager has another plan, and its channels follow it."""

    def stats(self) -> dict[str, Any]:
        """Give what is added to ``stats``, by key."""
        return {}
