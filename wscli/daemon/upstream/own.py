"""Upstreams that single clients have of their own: each is one dial and its connection, and ends with its client.

The manager dials as for a channel, with its tokens, its connect budget, its proxy and its keep-alive. It runs no
session, dials nothing again, and keeps no message: the client speaks the protocol, and reconnects by its own rules.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping

from wscli.core.failures import Failure, FailureKind
from wscli.daemon.upstream.dial.dialer import CLOSE_DEADLINE, AttemptRecord, DialRequest
from wscli.daemon.upstream.keepalive import KeepaliveWatch, no_pong
from wscli.daemon.upstream.services import Services
from wscli.tokens.errors import TokenFailed
from wscli.transport.connection import Connection, DialError
from wscli.transport.frames.close_codes import CloseCode

__all__ = ["OwnUpstream", "OwnUpstreams"]


class OwnUpstream:
    """One client's upstream, from its dial to its end.

    ``receive`` takes the messages that arrive. ``reauth`` is told how it failed, and the versions of the tokens that it
    used, by name; it says whether another dial has others.
    """

    def __init__(
        self,
        request: DialRequest,
        services: Services,
        receive: Callable[[list[bytes], bytes | None], None],
        reauth: Callable[[Failure, Mapping[str, int]], bool],
    ) -> None:
        self.record = AttemptRecord(started=services.clock.wall())
        self.connection: Connection | None = None
        """The open connection, from the end of its dial on."""
        self.ended: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()
        """Set to the end of the connection, or to why it was given up."""
        self.dialling = False
        """Whether tokens and a place in the connect budget are there, and the server is being connected to."""
        self.deadline: asyncio.Timeout | None = None
        """Ends its dial."""
        self._request = request
        self._services = services
        self._receive = receive
        self._reauth = reauth
        self._watch: KeepaliveWatch | None = None
        self.closing: asyncio.Task[None] | None = None
        """Closes the connection, from when its end was asked for."""

    async def dial(self) -> None:
        """Open the connection; where the verdict on a failure is ``reauth``, once more with new tokens.

        Raises:
            DialError: the dial failed.
            TokenFailed: a token source failed.
        """
        try:
            await self._dial()
        except DialError as error:
            if not self._reauth(error.failure, self.record.tokens):
                raise
            self.record = AttemptRecord(started=self._services.clock.wall())
            await self._dial()

    async def _dial(self) -> None:
        try:
            connection = await self._services.dialer.dial(self._request, self, self.record, self._progressed)
        except (DialError, TokenFailed) as error:
            self.record.failure = error.failure
            raise
        self.connection = connection
        if not self.ended.done():
            self._watch_pongs()

    def _progressed(self, code: str, text: str) -> None:
        self.dialling = code == "dialling"

    def hold(self, *, held: bool) -> None:
        """Stop reading, or read on; pongs cannot be read meanwhile, and are not waited for."""
        if self.connection is None or self.ended.done() or self.closing is not None:
            return
        if held:
            self._unwatch()
            self.connection.pause_reading()
        else:
            self.connection.resume_reading()
            self._watch_pongs()

    def network_changed(self, source: Callable[[str], str | None]) -> None:
        """Ping, or give up where the connection's route does not begin at its own address any more."""
        route = self.record.timeline.route
        if self.connection is not None and route is not None and source(route[1]) != route[0]:
            self.fail(Failure(FailureKind.TCP, "the network changed", by="us"))
        elif self._watch is not None:
            self._watch.probe()

    def fail(self, failure: Failure) -> None:
        """Drop the connection, or its dial, and give this cause."""
        self._end(failure)
        if self.connection is not None:
            self.connection.abort()

    def give_up(self, failure: Failure) -> None:
        """Close the connection, or drop its dial, and give this cause: its client is closed with the code of it."""
        self._end(failure)
        self.close()

    def close(self, code: int = CloseCode.GOING_AWAY, reason: str = "") -> None:
        """Close the connection within a second; a close under way goes on."""
        if self.connection is not None and self.closing is None:
            self._unwatch()
            work = self._close(self.connection, code, reason)
            self.closing = self._services.tasks.spawn(work, name="close an own upstream")

    async def _close(self, connection: Connection, code: int, reason: str) -> None:
        try:
            await connection.close(code, reason, deadline=CLOSE_DEADLINE)
        finally:
            connection.abort()  # without effect on one that is closed

    # ConnectionListener

    def on_batch(self, payloads: list[bytes], kinds: bytes | None) -> None:
        """Hand messages on."""
        if not self.ended.done() and self.closing is None:
            self._receive(payloads, kinds)

    def on_end(self, failure: Failure) -> None:
        """Give the end; a verdict on it may be to fetch other tokens for the next dial."""
        self._end(self.record.scrubbed(failure))
        if failure.by == "peer":
            self._reauth(failure, self.record.tokens)

    def _end(self, failure: Failure) -> None:
        self._unwatch()
        if not self.ended.done():
            self.record.failure = failure
            self.ended.set_result(failure)
            if self.deadline is not None and not self.deadline.expired():
                self.deadline.reschedule(asyncio.get_running_loop().time())

    def _watch_pongs(self) -> None:
        if self.connection is not None and self._watch is None:
            keepalive = self._request.plan.keepalive
            dead = no_pong(keepalive)
            self._watch = self._services.wheel.add(
                self.connection, keepalive, on_rtt=lambda rtt: None, on_dead=lambda: self.fail(dead)
            )

    def _unwatch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None


class OwnUpstreams:
    """All own upstreams of a manager: counted until their connections are closed."""

    def __init__(self) -> None:
        self.most = 0
        """How many there may be, those that are being closed not counted."""
        self.open: set[OwnUpstream] = set()
        self._closing: set[OwnUpstream] = set()

    def __len__(self) -> int:
        return len(self.open) + len(self._closing)

    def __iter__(self) -> Iterator[OwnUpstream]:
        return iter((*self.open, *self._closing))

    @property
    def full(self) -> bool:
        """Whether there may be no other."""
        return len(self.open) >= self.most

    def close(self, upstream: OwnUpstream) -> None:
        """Close one whose client has left."""
        self.open.discard(upstream)
        upstream.close()
        if upstream.closing is not None and not upstream.closing.done():
            self._closing.add(upstream)
            upstream.closing.add_done_callback(lambda _: self._closing.discard(upstream))

    def network_changed(self, source: Callable[[str], str | None]) -> None:
        """Have each look whether its connection is alive."""
        for one in tuple(self.open):
            one.network_changed(source)

    async def closed(self) -> None:
        """Wait until no connection is being closed any more."""
        if closing := [one.closing for one in self if one.closing is not None]:
            await asyncio.wait(closing)
