"""The pings of the gateway's clients: an idle one lives behind a proxy, and one that answers none is dropped."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable

from websockets.frames import Frame, Opcode

from wscli.config.models.gateway import GatewayPlan
from wscli.config.models.upstream import Keepalive
from wscli.daemon.fanout.socket_writer import SocketWriter
from wscli.sockets import undelivered
from wscli.timing import OneShot, Schedule, call_later
from wscli.values import format_duration

__all__ = ["ClientKeepalive", "keepalive_of_clients"]

logger = logging.getLogger("wscli.gateway")

_DEFAULT = Keepalive()
_PING = Frame(Opcode.PING, b"").serialize(mask=False)


def keepalive_of_clients(gateway: GatewayPlan | None, upstream: Keepalive = _DEFAULT) -> Keepalive:
    """Give the keep-alive of the clients of a channel.

    Where the gateway declares none, its clients are pinged as often as the channel's upstream, and at least every 20 s.
    """
    declared = None if gateway is None else gateway.keepalive
    if declared == "none":
        return Keepalive(ping=None)
    if declared is not None:
        return declared
    often = min(_DEFAULT.ping or 0.0, upstream.ping or float("inf"))
    return Keepalive(ping=often)


class ClientKeepalive:
    """Pings one client until it is stopped.

    Any byte of the client answers a ping. The time for the answer begins anew while what was sent before the ping still
    moves on: a client behind a slow network is late, not dead.

    Args:
        sock: the client's socket.
        writer: writes to it.
        ping: puts the frame of a ping before what the writer takes next.
        times: gives the interval and the timeout; asked again and again, since a reload may change them.
        listening: whether the client may send a pong, and is read from: else none is expected.
        dead: called once, after nothing arrived within the time, which is given in words.
        schedule: timers.
    """

    def __init__(
        self,
        sock: socket.socket,
        writer: SocketWriter,
        *,
        ping: Callable[[bytes], None],
        times: Callable[[], Keepalive],
        listening: Callable[[], bool],
        dead: Callable[[str], None],
        schedule: Schedule = call_later,
    ) -> None:
        self._sock = sock
        self._writer = writer
        self._send_ping = ping
        self._times = times
        self._listening = listening
        self._dead = dead
        self._timer = OneShot(schedule)
        self._heard = False
        """Whether anything arrived since the last ping."""
        self._awaited = 0.0
        """Seconds for which the answer has been awaited."""
        self._before_ping = 0
        """Bytes that were sent before the ping."""
        self._delivered = 0
        """Bytes that had arrived at the last judgement."""

    def start(self) -> None:
        """Ping after the interval, then once an interval."""
        self._schedule_ping(0.0)

    def stop(self) -> None:
        """Ping no more."""
        self._timer.cancel()

    def heard(self) -> None:
        """Something arrived from the client."""
        self._heard = True

    def _schedule_ping(self, awaited: float) -> None:
        """Ping an interval after the last ping, which was ``awaited`` seconds ago."""
        ping = self._times().ping
        if ping is None:
            self._timer.start(_DEFAULT.timeout, self.start)  # a reload may declare another
        else:
            self._timer.start(max(0.0, ping - awaited), self._ping)

    def _ping(self) -> None:
        self._heard = False
        self._before_ping, self._delivered = self._writer.taken + self._writer.pinned, self._arrived()
        self._send_ping(_PING)
        self._writer.wake()
        self._await(0.0)

    def _await(self, awaited: float) -> None:
        times = self._times()
        step = min(times.timeout - awaited, times.ping or times.timeout)
        self._awaited = awaited + max(0.0, step)
        self._timer.start(max(0.0, step), self._look)

    def _look(self) -> None:
        times = self._times()
        if self._heard or not self._listening() or times.ping is None:
            self._schedule_ping(self._awaited)
        elif self._awaited < times.timeout:
            self._await(self._awaited)
        elif self._was_on_its_way():
            self._await(0.0)
        else:
            self._dead(format_duration(times.timeout))

    def _was_on_its_way(self) -> bool:
        """Whether the ping had not arrived at the last judgement, and what was sent before it has moved on since."""
        before, self._delivered = self._delivered, self._arrived()
        return before < self._before_ping and before < self._delivered

    def _arrived(self) -> int:
        return self._writer.taken - undelivered(self._sock)
