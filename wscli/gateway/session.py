"""One WebSocket client of a channel: a cursor on its history, and whatever it sends goes upstream."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from wscli.core.events import FailureKind
from wscli.core.states import ChannelState
from wscli.daemon.fanout.socket_writer import Outflow
from wscli.daemon.fanout.sources import Source
from wscli.errors import OutcomeUnknown, WscliError
from wscli.gateway.feeds import ChannelFeed
from wscli.gateway.forwarder import Forwarder
from wscli.gateway.wire import Wire, close_frame
from wscli.history.records import GapRecord, Start

if TYPE_CHECKING:
    from wscli.daemon.channel.channel import Channel
    from wscli.daemon.registry.manager import Manager

__all__ = ["CLOSE_WAIT", "DRAIN", "STALL", "Ends", "Session", "Wishes"]

logger = logging.getLogger("wscli.gateway")

CLOSE_WAIT = 1.0
"""Seconds that a client has to answer our close frame."""
DRAIN = 10.0
"""Seconds for what a client sent before it left to go upstream."""
STALL = 10.0
"""Seconds for which a client that is to end may take nothing of what comes before its close frame."""
_CHUNK = 1 << 14  # of the smallest frames, some 40 ms of parsing, in which nobody else is served
_BAD_GATEWAY = 1014
_GOING_AWAY = 1001
_INTERNAL = 1011


class Wishes(NamedTuple):
    """What the client asked for in its URL."""

    start: Start
    as_records: bool = False
    strict: bool = False
    """Whether it is closed as soon as the upstream connection is lost."""


class Ends(NamedTuple):
    """Why and how a session ends from our side."""

    code: int
    reason: str


class Session:
    """Serves one client until it leaves, its channel is of no use any more, or ``close`` is called."""

    def __init__(
        self,
        manager: Manager,
        channel: Channel,
        sock: socket.socket,
        wire: Wire,
        wishes: Wishes,
        *,
        on_lag: Callable[[GapRecord], None] = lambda gap: None,
    ) -> None:
        self._manager = manager
        self._channel = channel
        self._sock = sock
        self._wire = wire
        self._wishes = wishes
        self._on_lag = on_lag
        self._loop = asyncio.get_running_loop()
        source = Source(channel.name, channel.history, wishes.start, channel.backpressure)
        self._feed = ChannelFeed(source, as_records=wishes.as_records, on_gap=self._skip)
        self._outflow = Outflow(sock, self._feed, clock=manager.clock)
        self._forwarder = Forwarder(channel, self._listen)
        self._left: asyncio.Future[bytes | None] = self._loop.create_future()
        """Set when the client sends nothing more: with its close frame, or None when it hung up."""
        self._gone: asyncio.Future[None] = self._loop.create_future()
        """Set when its end of the socket is closed."""
        self._ending = asyncio.Event()
        """Set once a close frame of ours is to be sent."""
        self._listening = False
        self._look: asyncio.TimerHandle | None = None
        self._deadline: float | None = None

    async def run(self) -> None:
        """Serve; the caller closes the socket."""
        with self._held(), self._helpers():
            self._listen()
            try:
                await self._outflow.run()
                if self._feed.ended:
                    self._hang_up_our_end()  # first: it knows of the close frame only once we hung up as well
                else:
                    await self._part()  # it vanished: what it had sent is still to be read
                await self._drain()
                if self._feed.ended:
                    await self._part()
            except asyncio.CancelledError:
                bye = [] if self._feed.ended else [close_frame(_GOING_AWAY, "the manager was stopped")]
                self._outflow.last_words(bye)
                raise
            finally:
                self._ignore()
                self._give_up()

    def close(self, ends: Ends, *, at_once: bool = False) -> None:
        """End it from our side, after everything that has arrived by now, or at once."""
        self._end(close_frame(ends.code, ends.reason), at_once=at_once)

    def _end(self, frame: bytes, *, at_once: bool) -> None:
        self._feed.close(frame, at_once=at_once)
        self._ending.set()
        self._outflow.wake()

    @contextmanager
    def _held(self) -> Iterator[None]:
        with self._channel.use():
            self._channel.readers += 1
            try:
                yield
            finally:
                self._channel.readers -= 1

    @contextmanager
    def _helpers(self) -> Iterator[None]:
        spawn = self._manager.tasks.spawn
        tasks = [
            spawn(self._watch(), name="gateway-watch", on_crash=self._crashed),
            spawn(self._forward(), name="gateway-forward", on_crash=self._crashed),
            spawn(self._answer_close(), name="gateway-close"),
            spawn(self._let_go(), name="gateway-end"),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()

    def _crashed(self, error: BaseException) -> None:
        """End a client that can no longer be served as it should."""
        self.close(Ends(_INTERNAL, "the manager met a bug; `wscli logs` shows it"), at_once=True)

    # what the channel does

    async def _watch(self) -> None:
        """Close the client when its channel is of no use any more."""
        channel = self._channel
        ready_before = self._wishes.strict or channel.state is ChannelState.READY  # strict: ready when it was let in
        while True:
            ready = channel.state is ChannelState.READY
            ends = self._ends(lost=ready_before and not ready)
            if ends is not None:
                self.close(ends)
                return
            ready_before = ready_before or ready
            await channel.wait_for(frozenset(ChannelState) - {channel.state})

    def _ends(self, *, lost: bool) -> Ends | None:
        channel = self._channel
        if self._manager.stopping.is_set():
            return Ends(_GOING_AWAY, "the manager was stopped")
        if channel.removed:
            return Ends(_GOING_AWAY, f"channel {channel.name!r} was removed from the configuration")
        if channel.state is ChannelState.FAILED:
            return self._as_upstream(_BAD_GATEWAY)
        if channel.state is ChannelState.DONE:
            return self._as_upstream(1000)
        if lost and self._wishes.strict:
            return self._as_upstream(_BAD_GATEWAY)
        return None

    def _as_upstream(self, otherwise: int) -> Ends:
        """Close as the upstream did; ``otherwise`` where it said nothing that may be said."""
        snapshot = self._channel.snapshot
        failure = snapshot.failure
        if failure is not None and failure.kind is FailureKind.CLOSE and _may_be_sent(failure.code):
            return Ends(failure.code or otherwise, failure.close_reason or "")
        return Ends(otherwise, snapshot.reason.text)

    def _skip(self, gap: GapRecord) -> None:
        """A client of bare messages cannot be told of a gap: say in the log what it lost by its own slowness."""
        if gap.reason in ("lagged", "truncated"):
            count = "some" if gap.missed is None else str(gap.missed)
            text = "a client of the gateway was too slow and missed %s messages"
            if gap.reason == "truncated":
                text = "a client of the gateway asked for more than is kept, and missed %s messages"
            logger.warning(f"%s: {text}", self._channel.name, count, extra={"channel": self._channel.name})
            self._on_lag(gap)
            if self._wishes.strict:
                self.close(Ends(_BAD_GATEWAY, f"missed {count} messages"), at_once=True)

    # what the client sends

    def _listen(self) -> None:
        if self._look is not None:
            self._look.cancel()
        if not self._listening and not self._left.done() and not self._forwarder.full:
            self._listening = True
            self._loop.add_reader(self._sock, self._hear)

    def _ignore(self) -> None:
        if self._look is not None:
            self._look.cancel()
        if self._listening:
            self._listening = False
            self._loop.remove_reader(self._sock)

    def _hear(self) -> None:
        try:
            data = self._sock.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self._hang_up()
            return
        arrived = self._wire.receive(data)
        if arrived.pong is not None:
            self._feed.control.pong(arrived.pong)
            self._outflow.wake()
        self._forwarder.add(arrived.messages)
        if arrived.failed and arrived.close is not None:
            self._end(arrived.close, at_once=True)
        elif arrived.close is not None and not self._left.done():
            self._left.set_result(arrived.close)
        if self._forwarder.full:
            self._ignore()
            self._look = self._loop.call_later(DRAIN, self._look_for_it)

    def _look_for_it(self) -> None:
        """Notice that it hung up though nothing is read from it: as much as is held has waited for long."""
        if _hung_up(self._sock):
            self._hang_up()
        else:
            self._look = self._loop.call_later(DRAIN, self._look_for_it)

    def _hang_up(self) -> None:
        self._ignore()
        for future in (self._left, self._gone):
            if not future.done():
                future.set_result(None)
        self._outflow.end()

    async def _answer_close(self) -> None:
        """Answer the client's close frame once what it sent before has gone upstream."""
        frame = await self._left
        if frame is not None:
            await self._drain()
            self._end(frame, at_once=True)

    async def _let_go(self) -> None:
        """End it without its close frame, where it takes nothing any more."""
        await self._ending.wait()
        before = None
        while before != self._outflow.taken:
            before = self._outflow.taken
            await asyncio.sleep(STALL)
        self._outflow.end()

    async def _forward(self) -> None:
        try:
            await self._forwarder.run()
        except OutcomeUnknown as error:
            self.close(Ends(_INTERNAL, error.message), at_once=True)
        except WscliError as error:  # the channel is of no use any more: the watch says so, with its code
            logger.debug("%s", error)

    async def _drain(self) -> None:
        """Let what the client sent go upstream, for a while, and say what did not."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self._drain_until()):
                await self._forwarder.drained()
        self._give_up()

    def _give_up(self) -> None:
        if unsent := self._forwarder.give_up():
            text = "%s: %d messages of a client of the gateway were not sent before it left: %s"
            why = self._channel.snapshot.reason.text
            logger.warning(text, self._channel.name, unsent, why, extra={"channel": self._channel.name})

    def _drain_until(self) -> float:
        """When whoever waits for the drain gives up, counted from the first who does."""
        if self._deadline is None:
            self._deadline = self._loop.time() + DRAIN
        return self._deadline

    def _hang_up_our_end(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)

    async def _part(self) -> None:
        """Read to the end of what the client sent, where that comes soon."""
        self._listen_for_end()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WAIT):
                await self._gone

    def _listen_for_end(self) -> None:
        if not self._listening and not self._gone.done():
            self._listening = True
            self._loop.add_reader(self._sock, self._hear)


def _hung_up(sock: socket.socket) -> bool:
    poll = select.poll()
    poll.register(sock, getattr(select, "POLLRDHUP", 0))  # errors and POLLHUP are told in any case
    return bool(poll.poll(0))


def _may_be_sent(code: int | None) -> bool:
    """Whether a close frame may carry it (RFC 6455, section 7.4)."""
    return code is not None and (1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999)
