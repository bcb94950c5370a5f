"""Finds network changes by looking up routes every few seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from ipaddress import ip_address

from wscli.network.reachability import local_address, reachable
from wscli.timing import OneShot, Schedule

__all__ = ["RoutePoller", "look_up"]

INTERVAL = 5.0
"""Seconds between two look-ups."""

_ANYWHERE = ("198.51.100.1", "2001:db8::1")
"""Documentation addresses (RFC 5737, RFC 3849), which only the default route leads to."""


def look_up(addresses: Iterable[str]) -> dict[str, str | None]:
    """Map each address to the local address that packets to it come from; None: it is unreachable."""
    routes: dict[str, str | None] = {}
    for address in addresses:
        try:
            routes[address] = local_address(ip_address(address)) if reachable(address) else None
        except (OSError, ValueError):
            routes[address] = None
    return routes


class RoutePoller:
    """Looks up the default routes and the destinations, and calls ``on_event`` when a result changed.

    A new destination does not count as a change.
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
        self._interval = interval
        self._routes = self._look()
        self._timer = OneShot(schedule)
        self._timer.start(interval, self._ring)

    def close(self) -> None:
        """Stop."""
        self._timer.cancel()

    def _look(self) -> dict[str, str | None]:
        return look_up({*_ANYWHERE, *self._destinations()})

    def _ring(self) -> None:
        self._timer.start(self._interval, self._ring)
        before, self._routes = self._routes, self._look()
        if any(address in before and before[address] != route for address, route in self._routes.items()):
            self._on_event()
