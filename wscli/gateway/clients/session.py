"""What serves any WebSocket client: its frames are read and written, its messages forwarded, and its end is orderly."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import select
import socket
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager

from wscli.daemon.channel.channel import Channel
from wscli.daemon.fanout.socket_writer import SocketWriter, hear
from wscli.daemon.registry.manager import Manager
from wscli.errors import OutcomeUnknown, WscliError
from wscli.gateway.clients.channel_feed import ClientFeed
from wscli.gateway.clients.closing import STOPPED, CloseReason
from wscli.gateway.clients.forwarder import Forwarder
from wscli.gateway.clients.keepalive import ClientKeepalive, keepalive_of_clients
from wscli.gateway.clients.parser import ClientMessage, ClientParser, close_frame
from wscli.gateway.handshake import Handshake
from wscli.session.actions import MessageRefused
from wscli.timing import OneShot, call_later
from wscli.transport.connection import WrittenAtOnce
from wscli.transport.frames.close_codes import CloseCode

__all__ = ["CLOSE_WAIT", "DRAIN", "STALL", "ClientSession"]

logger = logging.getLogger("wscli.gateway")

CLOSE_WAIT = 1.0
"""Seconds for a client to answer our close frame."""
DRAIN = 10.0
"""Seconds for the messages of a client that left to go upstream."""
STALL = 10.0
"""Seconds without progress after which a client that is being closed gets no close frame."""
_CHUNK = 1 << 14
"""Bytes read at once; parsing so many of the smallest frames blocks the loop for some 40 ms."""


class ClientSession(ABC):
    """Serves one client until it leaves or is closed."""

    def __init__(self, manager: Manager, channel: Channel, handshake: Handshake, feed: ClientFeed) -> None:
        self._manager = manager
        self._channel = channel
        self._handshake = handshake
        self._sock = handshake.sock
        self._parser = ClientParser(handshake.protocol, handshake.max_message)
        self._loop = asyncio.get_running_loop()
        self._feed = feed
        self._writer = SocketWriter(self._sock, feed, clock=manager.clock)
        self._forwarder = Forwarder(self._forward, self._listen, send_at_once=self._forward_at_once)
        self._keepalive = ClientKeepalive(
            self._sock,
            self._writer,
            ping=feed.ping,
            times=lambda: keepalive_of_clients(manager.plan.gateway, channel.plan.upstream.keepalive),
            listening=lambda: self._listening and not self._left.done(),
            dead=self._drop,
        )
        self._left: asyncio.Future[bytes | None] = self._loop.create_future()
        """Set when the client sends nothing more: to its close frame, or to None when it hung up."""
        self._gone: asyncio.Future[None] = self._loop.create_future()
        """Set when the client's end of the socket is closed."""
        self._ending = asyncio.Event()
        """Set once our close frame waits to be sent."""
        self._listening = False
        self._look = OneShot(call_later)
        self._deadline: float | None = None

    @abstractmethod
    def _serving(self) -> AbstractContextManager[None]:
        """Give the context in which the client is served."""

    @abstractmethod
    async def _forward(self, message: ClientMessage) -> None:
        """Send a message of the client upstream, when that is possible.

        Raises:
            OutcomeUnknown: the connection died after the hand-over.
            MessageRefused: it can never be sent.
            WscliError: nothing can be sent any more.
        """

    def _forward_at_once(self, message: ClientMessage) -> WrittenAtOnce:
        """Send a message of the client upstream in this turn, unless it has to wait."""
        return False

    async def run(self) -> None:
        """Serve; the caller closes the socket."""
        spawn = self._manager.tasks.spawn
        with self._serving():
            tasks = [
                spawn(self._forward_all(), name="gateway-forward", on_crash=self._crashed),
                spawn(self._answer_close(), name="gateway-close"),
                spawn(self._let_go(), name="gateway-end"),
            ]
            self._listen()
            self._keepalive.start()
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
                self._keepalive.stop()
                self._ignore()
                self._give_up()
                for task in tasks:
                    task.cancel()

    def _close(self, reason: CloseReason, *, at_once: bool = False) -> None:
        """Close the client, after everything that the channel has received by now, or at once."""
        self._end(close_frame(*reason), at_once=at_once)

    def _end(self, frame: bytes, *, at_once: bool) -> None:
        self._feed.end(frame, at_once=at_once)
        self._ending.set()
        self._writer.wake()

    def _crashed(self, error: BaseException) -> None:
        self._close(CloseReason(CloseCode.INTERNAL_ERROR, "the manager met a bug; `wscli logs` shows it"), at_once=True)

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
        self._keepalive.heard()
        arrived = self._parser.receive(data)
        if arrived.pong is not None:
            self._feed.pong(arrived.pong)
            self._writer.wake()
        try:
            self._forwarder.add(arrived.messages)
        except Exception as error:  # a bug ends this client only
            logger.exception("a client of the gateway met a bug")
            self._crashed(error)
        if arrived.failed and arrived.close is not None:
            self._end(arrived.close, at_once=True)
        elif arrived.close is not None and not self._left.done():
            self._left.set_result(arrived.close)
        if self._forwarder.full:
            self._ignore()
            self._look.start(DRAIN, self._look_for_hangup)

    async def _leave(self) -> None:  # noqa: B027 - hardly any needs to
        """Prepare for the answer to a client's close frame."""

    def _reason(self) -> str:
        """Say why messages were not sent."""
        return self._channel.snapshot.reason.text

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

    def _drop(self, within: str) -> None:
        text = "%s: a client of the gateway is dropped: no pong within %s"
        logger.info(text, self._channel.name, within, extra={"channel": self._channel.name})
        self._handshake.drop()
        self._hang_up()

    async def _answer_close(self) -> None:
        """Answer the client's close frame once its messages have gone upstream."""
        frame = await self._left
        if frame is not None:
            await self._drain()
            await self._leave()
            self._end(frame, at_once=True)

    async def _let_go(self) -> None:
        """Give up sending to a client that is being closed and takes nothing any more."""
        await self._ending.wait()
        before = None
        while before != self._writer.taken:
            before = self._writer.taken
            await asyncio.sleep(STALL)
        self._writer.end()

    async def _forward_all(self) -> None:
        try:
            await self._forwarder.run()
        except MessageRefused as error:
            self._close(CloseReason(CloseCode.POLICY_VIOLATION, error.message), at_once=True)
        except OutcomeUnknown as error:
            self._close(CloseReason(CloseCode.INTERNAL_ERROR, error.message), at_once=True)
        except WscliError as error:  # what ended upstream closes the client
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
            logger.warning(text, self._channel.name, unsent, self._reason(), extra={"channel": self._channel.name})

    async def _read_to_end(self) -> None:
        """Read until the client has closed its end, for ``CLOSE_WAIT`` at most."""
        if not self._listening and not self._gone.done():
            self._listening = True
            self._loop.add_reader(self._sock, self._hear)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WAIT):
                await self._gone
