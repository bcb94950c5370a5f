"""Changes of the network where the kernel tells none: a route lookup every few seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import ip_address

from wscli.network.routes import local_address, reachable
from wscli.timing import Schedule, Timer

__all__ = ["PolledSource", "look_up"]

INTERVAL = 5.0
"""Seconds between two looks."""

_ANYWHERE = ("198.51.100.1", "2001:db8::1")
"""Addresses that nobody has (RFC 5737, RFC 3849): the way to them is the default route."""


def look_up(addresses: Iterable[str]) -> dict[str, str | None]:
    """Map each address to the local one that a packet would come from; None where none would leave."""
    ways: dict[str, str | None] = {}
    for address in addresses:
        try:
            ways[address] = local_address(ip_address(address)) if reachable(address) else None
        except (OSError, ValueError):
            ways[address] = None
    return ways


class PolledSource:
    """Looks where the default routes and the destinations lead, and calls ``on_event`` when that changed.

    A destination that is new since the last look is no change.
    """

    def __init__(
        self,
        on_event: Callable[[], None],
        destinations: Callable[[], Iterable[str]],
        *,
        schedule: Schedule,
        interval: float = INTERVAL,
    ) -> None:
        self._on_event = on_event
        self._destinations = destinations
        self._schedule = schedule
        self._interval = interval
        self._ways = self._look()
        self._timer: Timer = schedule(interval, self._ring)

    def close(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> dict[str, str | None]:
        return look_up({*_ANYWHERE, *self._destinations()})

    def _ring(self) -> None:
        self._timer = self._schedule(self._interval, self._ring)
        before, self._ways = self._ways, self._look()
        if any(address in before and before[address] != way for address, way in self._ways.items()):
            self._on_event()
