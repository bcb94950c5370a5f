"""What start, stop, restart, pause and resume have in common: one step for each channel, then how each one stands."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from wscli.control.messages import ByHand, Status
    from wscli.daemon.channel.channel import Channel

__all__ = ["each", "statuses"]


def each(channels: Iterable[Channel], step: Callable[[Channel], None]) -> ByHand:
    """Do it to each of the channels, which were all found before the first is touched."""
    touched = list(channels)
    for channel in touched:
        step(channel)
    return {"channels": statuses(touched)}


def statuses(channels: Iterable[Channel]) -> list[Status]:
    """Say how each of the channels stands."""
    return [cast("Status", channel.status()) for channel in channels]
