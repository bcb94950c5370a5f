"""``GET /channels/NAME``: reads a channel's history to a client that speaks HTTP only."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from websockets.http11 import Request

from wscli.core.states import ChannelState
from wscli.daemon.channel.channel import Channel
from wscli.daemon.fanout.readers import reading
from wscli.daemon.fanout.socket_writer import SocketWriter, hear
from wscli.daemon.fanout.sources import HistorySource
from wscli.daemon.registry.manager import Manager
from wscli.errors import ChannelUnavailable
from wscli.gateway.clients.closing import STOPPED, CloseReason, reason_to_close
from wscli.gateway.clients.keepalive import keepalive_of_clients
from wscli.gateway.handshake import Handshake
from wscli.gateway.http.pulse import Pulse
from wscli.gateway.http.records import ReadOptions, RecordFeed
from wscli.gateway.parameters import read_count, read_cursor, read_flag, read_seconds, read_start
from wscli.gateway.requests import query
from wscli.timing import OneShot, Schedule
from wscli.transport.frames.close_codes import CloseCode

__all__ = ["HttpReading", "NothingMore", "read_request_options"]

logger = logging.getLogger("wscli.gateway")

_CHUNK = 1 << 12
_EVENTS = "text/event-stream"


class NothingMore(Exception):
    """The channel is done, and the client has read all of it."""


async def read_request_options(channel: Channel, request: Request) -> ReadOptions:
    """Read ``?after=CURSOR``, ``last=N``, ``limit=N``, ``wait=T`` and ``follow=0|1``, and the request's headers.

    By default a stream begins with the next message, and a read with the oldest that is kept, as ``wscli tail`` does.
    A ``Last-Event-ID`` counts more than the query: it is what a client has read of the same URL.

    Raises:
        UsageError: a value is invalid.
    """
    given, history = query(request.path), channel.history
    await history.opened()
    events = any(_EVENTS in one.lower() for one in request.headers.get_all("Accept"))
    follow = read_flag("follow", given.get("follow", "1" if events else "0"))
    start = read_start(history, given)
    if resumed := request.headers.get_all("Last-Event-ID"):
        start = history.seek_after(read_cursor("Last-Event-ID", resumed[-1]))
    return ReadOptions(
        start=start or (history.seek_last(0) if follow else history.seek_start()),
        events=events,
        follow=follow,
        wait=read_seconds("wait", given["wait"]) if "wait" in given else 0.0,
        limit=read_count("limit", given["limit"]) if "limit" in given else None,
        head_only=request.method == "HEAD",
    )


class HttpReading:
    """Serves one client until its answer has ended, or it is gone."""

    def __init__(
        self,
        manager: Manager,
        channel: Channel,
        handshake: Handshake,
        options: ReadOptions,
        headers: Mapping[str, str],
        schedule: Schedule,
    ) -> None:
        self._manager = manager
        self._channel = channel
        self._handshake = handshake
        self._options = options
        source = HistorySource(channel.name, channel.history, options.start, channel.backpressure)
        self._feed = RecordFeed(handshake.http, source, options, headers)
        self._writer = SocketWriter(handshake.sock, self._feed, clock=manager.clock)
        self._pulse = Pulse(
            handshake.sock,
            self._writer,
            times=lambda: keepalive_of_clients(manager.plan.gateway, channel.plan.upstream.keepalive),
            tick=self._feed.tick,
            dead=self._hang_up,
            schedule=schedule,
        )
        self._deadline = OneShot(schedule)

    async def run(self) -> None:
        """Serve; the caller closes the socket.

        Raises:
            NothingMore: the channel is done, and there is nothing to read.
            ChannelUnavailable: it has failed, and there is nothing to read.
        """
        self._check_there_is_more()
        with reading(self._channel, follow=self._options.open_ended), self._watched():
            self._pulse.start()
            try:
                await self._writer.run()
            except asyncio.CancelledError:
                self._writer.last_words(self._feed.last_words(STOPPED))
                raise
            finally:
                self._pulse.stop()
        if self._feed.ended:
            await self._handshake.hang_up()

    def _check_there_is_more(self) -> None:
        """Refuse to wait at a channel that has ended; what it has left is read first."""
        channel, (cursor, gap) = self._channel, self._options.start
        over = self._reason_to_end()
        if not self._options.open_ended or over is None or gap is not None or channel.history.last > cursor.seq:
            return
        if channel.state is ChannelState.DONE:
            raise NothingMore
        raise channel.unavailable() or ChannelUnavailable(over.text)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Notice that the client hangs up, that the time to wait is over, and that the channel ends."""
        if (
            not self._options.open_ended
        ):  # the answer has an end, which a client that has shut down its sending side gets too
            yield
            return
        loop, sock = asyncio.get_running_loop(), self._handshake.sock
        loop.add_reader(sock, self._hear)
        if not self._options.follow:
            self._deadline.start(self._options.wait, self._answer_now)
        watch = self._manager.tasks.spawn(self._watch(), name="gateway-watch", on_crash=self._crashed)
        try:
            yield
        finally:
            watch.cancel()
            self._deadline.cancel()
            loop.remove_reader(sock)

    async def _watch(self) -> None:
        while (reason := self._reason_to_end()) is None:
            await self._channel.wait_for(frozenset(ChannelState) - {self._channel.state})
        self._feed.finish(reason)
        self._writer.wake()

    def _reason_to_end(self) -> CloseReason | None:
        return reason_to_close(self._channel, stopping=self._manager.stopping.is_set(), lost=False)

    def _crashed(self, error: BaseException) -> None:
        self._feed.finish(CloseReason(CloseCode.INTERNAL_ERROR, "the manager met a bug; `wscli logs` shows it"))
        self._writer.wake()

    def _answer_now(self) -> None:
        self._feed.stop_waiting()
        self._writer.wake()

    def _hear(self) -> None:
        if hear(self._handshake.sock, _CHUNK) == b"":
            self._writer.end()

    def _hang_up(self, within: str) -> None:
        name = self._channel.name
        text = "%s: a client of the gateway took nothing within %s, and was hung up on"
        logger.info(text, name, within, extra={"channel": name})
        self._handshake.drop()
        self._writer.end()
