"""One WebSocket client of a channel: it gets the channel's messages, and what it sends goes upstream."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from wscli.core.states import ChannelState
from wscli.daemon.channel.channel import Channel
from wscli.daemon.fanout.socket_writer import SocketWriter, hear
from wscli.daemon.fanout.sources import HistorySource
from wscli.daemon.registry.manager import Manager
from wscli.errors import OutcomeUnknown, WscliError
from wscli.gateway.clients.channel_feed import ChannelFeed
from wscli.gateway.clients.closing import (
    BAD_GATEWAY,
    INTERNAL_ERROR,
    POLICY_VIOLATION,
    STOPPED,
    CloseReason,
    reason_to_close,
)
from wscli.gateway.clients.forwarder import Forwarder
from wscli.gateway.clients.parser import ClientParser, close_frame
from wscli.gateway.handshake import Handshake
from wscli.history.records import GapRecord, Start
from wscli.session.actions import MessageRefused
from wscli.timing import OneShot, call_later

__all__ = ["CLOSE_WAIT", "DRAIN", "STALL", "Session", "SessionOptions"]

logger = logging.getLogger("wscli.gateway")

CLOSE_WAIT = 1.0
"""Seconds for a client to answer our close frame."""
DRAIN = 10.0
"""Seconds for the messages of a client that left to go upstream."""
STALL = 10.0
"""Seconds without progress after which a client that is being closed gets no close frame."""
_CHUNK = 1 << 14
"""Bytes read at once; parsing so many of the smallest frames blocks the loop for some 40 ms."""


class SessionOptions(NamedTuple):
    """What a client asked for in its URL."""

    start: Start
    as_records: bool = False
    strict: bool = False
    """Close the client as soon as the upstream connection is lost."""


class Session:
    """Serves one client until it leaves or its channel ends."""

    def __init__(self, manager: Manager, channel: Channel, handshake: Handshake, options: SessionOptions) -> None:
        self._manager = manager
        self._channel = channel
        self._sock = handshake.sock
        self._parser = ClientParser(handshake.protocol, handshake.max_message)
        self._options = options
        self._loop = asyncio.get_running_loop()
        source = HistorySource(channel.name, channel.history, options.start, channel.backpressure)
        self._feed = ChannelFeed(source, as_records=options.as_records, on_gap=self._skip)
        self._writer = SocketWriter(self._sock, self._feed, clock=manager.clock)
        self._forwarder = Forwarder(channel, self._listen)
        self._left: asyncio.Future[bytes | None] = self._loop.create_future()
        """Set when the client sends nothing more: to its close frame, or to None when it hung up."""
        self._gone: asyncio.Future[None] = self._loop.create_future()
        """Set when the client's end of the socket is closed."""
        self._ending = asyncio.Event()
        """Set once our close frame waits to be sent."""
        self._listening = False
        self._look = OneShot(call_later)
        self._deadline: float | None = None

    async def run(self) -> None:
        """Serve; the caller closes the socket."""
        with self._attached():
            self._listen()
            try:
                await self._writer.run()
                if self._feed.ended:
                    with contextlib.suppress(OSError):  # before the drain: the client waits for the end of our side
                        self._sock.shutdown(socket.SHUT_WR)
                else:
                    await self._read_to_end()  # the client hung up; its last messages may be unread
                await self._drain()
                if self._feed.ended:
                    await self._read_to_end()
            except asyncio.CancelledError:
                self._writer.last_words([] if self._feed.ended else [close_frame(*STOPPED)])
                raise
            finally:
                self._ignore()
                self._give_up()

    def _close(self, reason: CloseReason, *, at_once: bool = False) -> None:
        """Close the client, after everything that the channel has received by now, or at once."""
        self._end(close_frame(*reason), at_once=at_once)

    def _end(self, frame: bytes, *, at_once: bool) -> None:
        self._feed.end(frame, at_once=at_once)
        self._ending.set()
        self._writer.wake()

    @contextmanager
    def _attached(self) -> Iterator[None]:
        spawn = self._manager.tasks.spawn
        with self._channel.use():
            self._channel.readers += 1
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
                self._channel.readers -= 1

    def _crashed(self, error: BaseException) -> None:
        self._close(CloseReason(INTERNAL_ERROR, "the manager met a bug; `wscli logs` shows it"), at_once=True)

    # what the channel does

    async def _watch(self) -> None:
        """Close the client when its channel ends, or is lost."""
        channel = self._channel
        ready_before = self._options.strict or channel.state is ChannelState.READY  # a strict client was let in ready
        while True:
            ready = channel.state is ChannelState.READY
            lost = self._options.strict and ready_before and not ready
            if reason := reason_to_close(channel, stopping=self._manager.stopping.is_set(), lost=lost):
                self._close(reason)
                return
            ready_before = ready_before or ready
            await channel.wait_for(frozenset(ChannelState) - {channel.state})

    def _skip(self, gap: GapRecord) -> None:
        """Log the messages that a client missed by its own pace or request: bare messages have no record of a gap."""
        whys = {"lagged": "was too slow and", "truncated": "asked for more than is kept, and"}
        if why := whys.get(gap.reason):
            name, count = self._channel.name, "some" if gap.missed is None else str(gap.missed)
            logger.warning(
                "%s: a client of the gateway %s missed %s messages", name, why, count, extra={"channel": name}
            )
            if self._options.strict:
                self._close(CloseReason(BAD_GATEWAY, f"missed {count} messages"), at_once=True)

    # what the client sends

    def _listen(self) -> None:
        self._look.cancel()
        if not self._listening and not self._left.done() and not self._forwarder.full:
            self._listening = True
            self._loop.add_reader(self._sock, self._hear)

    def _ignore(self) -> None:
        self._look.cancel()
        if self._listening:
            self._listening = False
            self._loop.remove_reader(self._sock)

    def _hear(self) -> None:
        if (data := hear(self._sock, _CHUNK)) is None:
            return
        if not data:
            self._hang_up()
            return
        arrived = self._parser.receive(data)
        if arrived.pong is not None:
            self._feed.pong(arrived.pong)
            self._writer.wake()
        self._forwarder.add(arrived.messages)
        if arrived.failed and arrived.close is not None:
            self._end(arrived.close, at_once=True)
        elif arrived.close is not None and not self._left.done():
            self._left.set_result(arrived.close)
        if self._forwarder.full:
            self._ignore()
            self._look.start(DRAIN, self._look_for_hangup)

    def _look_for_hangup(self) -> None:
        """Detect a disconnect while reading is suspended by a full forward buffer."""
        poll = select.poll()
        poll.register(self._sock, getattr(select, "POLLRDHUP", 0))  # errors and POLLHUP are always reported
        if poll.poll(0):
            self._hang_up()
        else:
            self._look.start(DRAIN, self._look_for_hangup)

    def _hang_up(self) -> None:
        self._ignore()
        for future in (self._left, self._gone):
            if not future.done():
                future.set_result(None)
        self._writer.end()

    async def _answer_close(self) -> None:
        """Answer the client's close frame once its messages have gone upstream."""
        frame = await self._left
        if frame is not None:
            await self._drain()
            self._end(frame, at_once=True)

    async def _let_go(self) -> None:
        """Give up sending to a client that is being closed and takes nothing any more."""
        await self._ending.wait()
        before = None
        while before != self._writer.taken:
            before = self._writer.taken
            await asyncio.sleep(STALL)
        self._writer.end()

    async def _forward(self) -> None:
        try:
            await self._forwarder.run()
        except MessageRefused as error:
            self._close(CloseReason(POLICY_VIOLATION, error.message), at_once=True)
        except OutcomeUnknown as error:
            self._close(CloseReason(INTERNAL_ERROR, error.message), at_once=True)
        except WscliError as error:  # the channel ended: `_watch` closes the client
            logger.debug("%s", error)

    async def _drain(self) -> None:
        """Let the client's messages go upstream; ``DRAIN`` counts from the first call."""
        if self._deadline is None:
            self._deadline = self._loop.time() + DRAIN
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self._deadline):
                await self._forwarder.drained()
        self._give_up()

    def _give_up(self) -> None:
        if unsent := self._forwarder.give_up():
            text = "%s: %d messages of a client of the gateway were not sent before it left: %s"
            why = self._channel.snapshot.reason.text
            logger.warning(text, self._channel.name, unsent, why, extra={"channel": self._channel.name})

    async def _read_to_end(self) -> None:
        """Read until the client has closed its end, for ``CLOSE_WAIT`` at most."""
        if not self._listening and not self._gone.done():
            self._listening = True
            self._loop.add_reader(self._sock, self._hear)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WAIT):
                await self._gone
