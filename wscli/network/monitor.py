"""Tells the manager that the network changed: netlink where it may be used, a look every few seconds elsewhere."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable

from wscli.clock import Clock, SystemClock
from wscli.network.debounce import Debounce
from wscli.network.netlink import NetlinkSource, open_netlink
from wscli.network.polled import INTERVAL, PolledSource
from wscli.network.source import Source
from wscli.timing import Schedule, call_later
from wscli.values import format_duration

__all__ = ["NetworkMonitor"]

logger = logging.getLogger("wscli.network")

QUIET = 0.3
"""Seconds without a further event after which a change is told."""

LONGEST = 2.0
"""Seconds after which it is told although events go on."""


def _nowhere() -> Iterable[str]:
    return ()


class NetworkMonitor:
    """Calls back when a destination may have come within reach or gone out of it; ``reachable`` then says which.

    ``destinations`` gives the IP addresses that a polled look-up watches beside the default routes; netlink needs none.
    """

    def __init__(
        self,
        *,
        clock: Clock | None = None,
        destinations: Callable[[], Iterable[str]] = _nowhere,
        schedule: Schedule = call_later,
        open_socket: Callable[[], socket.socket | None] = open_netlink,
        poll_interval: float = INTERVAL,
    ) -> None:
        self._clock = clock or SystemClock()
        self._destinations = destinations
        self._schedule = schedule
        self._open_socket = open_socket
        self._poll_interval = poll_interval
        self._source: Source | None = None
        self._debounce: Debounce | None = None

    def start(self, on_change: Callable[[], None]) -> None:
        """Listen; ``on_change`` is called once a burst: 0.3 s after its last event, 2 s after its first at most.

        Raises:
            RuntimeError: it listens already.

        """
        if self._debounce is not None:
            raise RuntimeError("the network monitor was started before")
        self._debounce = Debounce(on_change, clock=self._clock, schedule=self._schedule, quiet=QUIET, longest=LONGEST)
        self._source = self._listen(self._debounce)

    async def close(self) -> None:
        """Listen no more; nothing is called back after this."""
        if self._debounce is not None:
            self._debounce.cancel()
        if self._source is not None:
            self._source.close()
        self._source = self._debounce = None

    def _listen(self, debounce: Debounce) -> Source:
        try:
            sock = self._open_socket()
        except OSError as error:
            return self._fall_back(error, debounce)
        if sock is None:
            return self._poll(debounce)
        return NetlinkSource(sock, debounce.event, lambda error: self._broken(error, debounce))

    def _broken(self, error: OSError, debounce: Debounce) -> None:
        self._source = self._fall_back(error, debounce)
        debounce.event()  # whatever it would have said

    def _fall_back(self, error: OSError, debounce: Debounce) -> Source:
        logger.warning(
            "netlink cannot be used (%s); the routes are looked up every %s instead",
            error.strerror or type(error).__name__,
            format_duration(self._poll_interval),
        )
        return self._poll(debounce)

    def _poll(self, debounce: Debounce) -> Source:
        return PolledSource(debounce.event, self._destinations, schedule=self._schedule, interval=self._poll_interval)
