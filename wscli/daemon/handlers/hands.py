"""What start, stop, restart, pause and resume have in common: one step for each channel, then how each one stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wscli.daemon.channel import Channel

__all__ = ["each"]


def each(channels: Iterable[Channel], step: Callable[[Channel], None]) -> dict[str, Any]:
    """Do it to each of the channels, which were all found before the first is touched."""
    touched = list(channels)
    for channel in touched:
        step(channel)
    return {"channels": [channel.status() for channel in touched]}
