"""One client's socket, fed from the histories that it reads.

Nothing is queued for a client: it is a cursor, and what it is being sent right now. Bytes go out by non-blocking
``sendmsg`` from what all clients share; what the kernel does not take is remembered as views of those bytes, so that a
started batch is finished and a client that stands still pins one batch, not more.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Protocol

from wscli.clock import Clock, SystemClock
from wscli.daemon.fanout.sources import HistorySource

__all__ = ["SEND_BUFFER", "TURN_BYTES", "Feed", "Gone", "SocketWriter", "hear"]

logger = logging.getLogger("wscli.manager")

SEND_BUFFER = 1 << 20
TURN_BYTES = 1 << 20
"""Bytes that one client may be sent in one turn of the loop, so that a long replay delays no other."""


class Gone(Exception):
    """The client hung up."""


class Feed(Protocol):
    """What a client is sent."""

    @property
    def sources(self) -> Sequence[HistorySource]:
        """The histories that it reads."""

    @property
    def ended(self) -> bool:
        """Whether the last of it was taken."""

    def take(self) -> list[bytes]:
        """Give what comes next, as pieces to be sent one after the other; none while there is nothing to send."""


class SocketWriter:
    """Sends a feed to a non-blocking socket until its end is sent, the client is gone, or ``run`` is cancelled."""

    def __init__(self, sock: socket.socket, feed: Feed, *, clock: Clock | None = None) -> None:
        self._sock = sock
        self._feed = feed
        self._sources = feed.sources
        self._clock = clock or SystemClock()
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._rest: list[bytes | memoryview] = []  # what is being sent, as far as the kernel has not taken it
        self._moved_at = float("-inf")
        self.taken = 0
        """Bytes that the kernel took so far."""
        self._blocked = False  # the socket is full, and the loop tells when it is not
        self._scheduled = False  # there is more to do in the loop's next turn
        self._busy = False
        with contextlib.suppress(OSError):  # a smaller buffer costs speed only
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)

    @property
    def pinned(self) -> int:
        """Bytes that it holds on to beside the histories: the unsent rest of what it is being sent."""
        return sum(map(len, self._rest))

    async def run(self) -> None:
        """Send; return once the feed's end is sent or the client has hung up."""
        wake = self.wake  # one object, which is what subscribe and unsubscribe know it by
        unsubscribe = [source.history.subscribe(wake) for source in self._sources]
        try:
            self._pump()
            await self._done
        finally:
            self._detach(unsubscribe)

    def wake(self) -> None:
        """There is more to take; called from where it was appended, by a channel or by a log."""
        if self._busy:  # sending to this client logged a record, and it may read the log
            self._schedule()
        elif self._blocked or self._scheduled:
            self._guarded(self._report)
        else:
            self._pump()

    def end(self) -> None:
        """End it: the client hung up."""
        if not self._done.done():
            self._done.set_result(None)

    def last_words(self, pieces: list[bytes]) -> None:
        """Send something behind what is being sent, as far as the socket takes it at once."""
        with contextlib.suppress(OSError):
            if not self._rest or not _behind(self._rest, self._sock.sendmsg(self._rest)):
                self._sock.sendmsg(pieces)

    def _pump(self) -> None:
        """Send as much as the socket and the turn allow."""
        self._scheduled = False
        self._guarded(self._send)

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._pump)

    def _guarded(self, act: Callable[[], None]) -> None:
        """Whatever goes wrong ends this client alone."""
        if self._done.done():
            return
        self._busy = True
        try:
            act()
        except Gone:
            self.end()
        except Exception as error:  # called from a channel's receiving, which must not suffer: `run` raises it
            if self._done.done():
                logger.exception("a reader met a bug behind its end")
            else:
                self._done.set_exception(error)
        finally:
            self._busy = False

    def _send(self) -> None:
        budget = TURN_BYTES
        while budget > 0:
            if not self._rest:
                self._rest.extend(self._feed.take())
            if not self._rest:
                if self._feed.ended:
                    self.end()
                break
            budget -= self._send_some()
            if self._rest:
                break
        else:
            self._schedule()
        self._wait_writable(bool(self._rest))
        self._report()

    def _send_some(self) -> int:
        try:
            sent = self._sock.sendmsg(self._rest)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:
            raise Gone from None
        self._moved_at = self._clock.monotonic()
        self.taken += sent
        self._rest = _behind(self._rest, sent)
        return sent

    def _wait_writable(self, wanted: bool) -> None:
        if wanted and not self._blocked:
            self._loop.add_writer(self._sock, self._pump)
        elif self._blocked and not wanted:
            self._loop.remove_writer(self._sock)
        self._blocked = wanted

    def _report(self) -> None:
        for source in self._sources:
            if source.backpressure is not None:
                source.backpressure.report_lag(self, source.history.lag(source.cursor), self._moved_at)

    def _detach(self, unsubscribe: Sequence[Callable[[], None]]) -> None:
        for one in unsubscribe:
            one()
        self._wait_writable(False)
        if not self._done.cancelled():  # else the rest is finished before any last words
            self._rest = []
        for source in self._sources:
            if source.backpressure is not None:
                source.backpressure.forget_reader(self)


def hear(sock: socket.socket, size: int) -> bytes | None:
    """Return what a client sent: empty once it hung up, None while there is nothing to read."""
    try:
        return sock.recv(size)
    except (BlockingIOError, InterruptedError):
        return None
    except OSError:
        return b""  # a reset is a hang-up as well


def _behind(pieces: list[bytes | memoryview], sent: int) -> list[bytes | memoryview]:
    """Give what is left of pieces after so many bytes."""
    for index, piece in enumerate(pieces):
        if sent < len(piece):
            return [memoryview(piece)[sent:], *pieces[index + 1 :]]
        sent -= len(piece)
    return []
