"""Reports network changes: from netlink where it is available, else by polling the routes."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterable

from wscli.clock import Clock, SystemClock
from wscli.network.netlink import NetlinkWatcher, open_netlink
from wscli.network.polling import INTERVAL, RoutePoller
from wscli.timing import RESOLUTION, OneShot, Schedule, call_later
from wscli.values import format_duration

__all__ = ["Debounce", "NetworkMonitor"]

logger = logging.getLogger("wscli.network")

QUIET = 0.3
"""Seconds without a further event after which a burst is reported."""

LONGEST = 2.0
"""Seconds after which a burst is reported although events continue."""


class Debounce:
    """Calls ``action`` once a burst of events: 0.3 s after its last event, at most 2 s after its first."""

    def __init__(self, action: Callable[[], None], *, clock: Clock, schedule: Schedule) -> None:
        self._action = action
        self._clock = clock
        self._first = 0.0
        self._last = 0.0
        self._timer = OneShot(schedule)

    def event(self) -> None:
        """Record an event."""
        self._last = self._clock.monotonic()
        if not self._timer.pending:
            self._first = self._last
            self._ring()

    def cancel(self) -> None:
        """Drop the current burst."""
        self._timer.cancel()

    def _ring(self) -> None:
        """Call the action, or set the timer where there were further events."""
        rest = min(self._last + QUIET, self._first + LONGEST) - self._clock.monotonic()
        if rest > RESOLUTION:
            self._timer.start(rest, self._ring)
        else:
            self._action()


class NetworkMonitor:
    """Calls back when a destination may have become reachable or unreachable; ``reachable`` then says which.

    ``destinations`` gives the IP addresses that polling checks beside the default routes; netlink ignores it.
    """

    def __init__(
        self,
        on_change: Callable[[], None],
        *,
        clock: Clock | None = None,
        destinations: Callable[[], Iterable[str]] = tuple,
        schedule: Schedule = call_later,
        open_socket: Callable[[], socket.socket | None] = open_netlink,
        poll_interval: float = INTERVAL,
    ) -> None:
        self._destinations = destinations
        self._schedule = schedule
        self._open_socket = open_socket
        self._poll_interval = poll_interval
        self._watcher: NetlinkWatcher | RoutePoller | None = None
        self._debounce = Debounce(on_change, clock=clock or SystemClock(), schedule=schedule)

    def start(self) -> None:
        """Watch from now on."""
        try:
            sock = self._open_socket()
        except OSError as error:
            self._poll(error)
            return
        if sock is None:
            self._poll()
        else:
            self._watcher = NetlinkWatcher(sock, self._debounce.event, self._broken)

    def close(self) -> None:
        """Stop; there is no callback after this."""
        self._debounce.cancel()
        if self._watcher is not None:
            self._watcher.close()

    def _broken(self, error: OSError) -> None:
        self._poll(error)
        self._debounce.event()  # changes may have been lost

    def _poll(self, error: OSError | None = None) -> None:
        event, interval = self._debounce.event, self._poll_interval
        if error is not None:
            logger.warning(
                "netlink is not available (%s); polling the routes every %s instead",
                error.strerror or type(error).__name__,
                format_duration(interval),
            )
        self._watcher = RoutePoller(event, self._destinations, schedule=self._schedule, interval=interval)
