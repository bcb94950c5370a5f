"""What keeps a quiet answer alive, and ends one that is not taken: a client of HTTP answers no ping."""

from __future__ import annotations

import socket
from collections.abc import Callable

from wscli.config.models.upstream import Keepalive
from wscli.daemon.fanout.socket_writer import SocketWriter
from wscli.sockets import undelivered
from wscli.timing import OneShot, Schedule
from wscli.values import format_duration

__all__ = ["Pulse"]

_LOOK_AGAIN = 20.0
"""Seconds until it is asked again where nothing is declared: a reload may declare something."""


class Pulse:
    """Beats once an interval until it is stopped.

    Args:
        sock: the client's socket.
        writer: writes to it.
        times: gives the interval, and the time for the client to take something of what waits for it.
        tick: called in each interval in which nothing waits for the client.
        dead: called once, after the client took nothing within the time, which is given in words.
        schedule: timers.
    """

    def __init__(
        self,
        sock: socket.socket,
        writer: SocketWriter,
        *,
        times: Callable[[], Keepalive],
        tick: Callable[[], None],
        dead: Callable[[str], None],
        schedule: Schedule,
    ) -> None:
        self._sock = sock
        self._writer = writer
        self._times = times
        self._tick = tick
        self._dead = dead
        self._timer = OneShot(schedule)
        self._sent = 0
        """Bytes that were on their way at the last beat."""
        self._arrived = 0
        self._stalled = 0.0
        """Seconds for which none of them has arrived."""

    def start(self) -> None:
        """Beat after the interval, then once an interval."""
        self._timer.start(self._times().ping or _LOOK_AGAIN, self._beat)

    def stop(self) -> None:
        """Beat no more."""
        self._timer.cancel()

    def _beat(self) -> None:
        interval, timeout = self._times().ping, self._times().timeout
        if interval is None:
            self.start()
            return
        arrived = self._writer.taken - undelivered(self._sock)
        stands_still = arrived < self._sent and arrived == self._arrived
        self._stalled = self._stalled + interval if stands_still else 0.0
        if self._stalled >= timeout:
            self._dead(format_duration(timeout))
            return
        self._arrived, self._sent = arrived, self._writer.taken + self._writer.pinned
        if not self._writer.pinned:
            self._tick()
            self._writer.wake()
        self.start()
