"""A client with an upstream of its own: messages, close codes and back-pressure pass between the two, both ways."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from wscli.core.failures import Failure
from wscli.daemon.channel.channel import Channel
from wscli.daemon.registry.manager import Manager
from wscli.daemon.upstream.own import OwnUpstream
from wscli.errors import ChannelUnavailable, NotSent, OutcomeUnknown
from wscli.gateway.clients.channel_feed import ClientFeed
from wscli.gateway.clients.closing import CloseReason, as_upstream
from wscli.gateway.clients.parser import ClientMessage
from wscli.gateway.clients.session import ClientSession
from wscli.gateway.handshake import Handshake
from wscli.history.encode import message_frame
from wscli.history.records import BINARY
from wscli.transport.frames.close_codes import NO_CODE, CloseCode

__all__ = ["OwnFeed", "OwnSession"]

HIGH, LOW = 256 << 10, 64 << 10
"""Bytes of frames that wait for a client: above, its upstream is not read from; below, it is read from again."""


class OwnFeed(ClientFeed):
    """The messages of one upstream, as frames; it takes them before the client's upgrade is answered, too."""

    def __init__(self) -> None:
        super().__init__()
        self.wake: Callable[[], None] = lambda: None
        """Called when there is more to send."""
        self.hold: Callable[[bool], None] = lambda held: None
        """Called when too much waits, and when there is room again."""
        self._frames: deque[bytes] = deque()
        self._bytes = 0
        self._held = False

    def receive(self, payloads: list[bytes], kinds: bytes | None) -> None:
        """Take the messages of a batch; ``kinds`` is as in ``ConnectionListener.on_batch``."""
        if self._close is not None:
            return
        frames = [
            message_frame(payload, binary=kinds is not None and kinds[index] == BINARY)
            for index, payload in enumerate(payloads)
        ]
        self._frames.append(b"".join(frames))
        self._bytes += len(self._frames[-1])
        self.wake()
        if self._bytes > HIGH and not self._held:
            self._held = True
            self.hold(True)

    def end(self, frame: bytes, *, at_once: bool) -> None:
        """End with a close frame, at once or after everything received by now; later calls change nothing."""
        if at_once and self._close is None:
            self._frames.clear()
        super().end(frame, at_once=at_once)

    def _next(self) -> list[bytes] | None:
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self._bytes -= len(frame)
        if self._held and self._bytes < LOW:
            self._held = False
            self.hold(False)
        return [frame]


class OwnSession(ClientSession):
    """Serves one client until it leaves or its upstream ends."""

    def __init__(
        self, manager: Manager, channel: Channel, handshake: Handshake, feed: OwnFeed, upstream: OwnUpstream
    ) -> None:
        super().__init__(manager, channel, handshake, feed)
        self._own_feed = feed
        self._upstream = upstream

    @contextmanager
    def _serving(self) -> Iterator[None]:
        self._own_feed.wake = self._writer.wake
        self._upstream.ended.add_done_callback(self._lost)
        try:
            yield
        finally:
            self._own_feed.wake = lambda: None
            self._upstream.ended.remove_done_callback(self._lost)

    def _lost(self, ended: asyncio.Future[Failure]) -> None:
        """Close the client as the server closed its upstream, behind the messages before that."""
        if not self._left.done():
            failure = ended.result()
            empty = failure.code == NO_CODE and failure.by == "peer"
            self._close(
                CloseReason(NO_CODE, "") if empty else as_upstream(failure, failure.text, CloseCode.BAD_GATEWAY)
            )

    def _forward_at_once(self, message: ClientMessage) -> bool:
        connection = self._upstream.connection
        with contextlib.suppress(NotSent):  # its end closes the client
            if connection is not None and connection.try_send(lambda: message) is not False:
                self._channel.counters.count_own("sent")
                return True
        return False

    async def _forward(self, message: ClientMessage) -> None:
        connection = self._upstream.connection
        if connection is None:
            raise ChannelUnavailable("a client has no upstream")
        try:
            await connection.send_rendered(lambda: message)
        except (NotSent, OutcomeUnknown) as error:  # its end closes the client
            raise ChannelUnavailable(f"the upstream of a client ended: {error.message}") from None
        self._channel.counters.count_own("sent")

    async def _leave(self) -> None:
        """Close the upstream as the client left, and wait for that."""
        if (closed := self._parser.closed) is not None:
            self._upstream.close(closed.code, closed.reason)
        if (closing := self._upstream.closing) is not None:
            await asyncio.wait([closing])

    def _reason(self) -> str:
        ended = self._upstream.ended
        return ended.result().text if ended.done() else "its upstream took none"
