"""A client that shares its channel's upstream: it gets the channel's messages, and what it sends goes upstream."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

from wscli.core.states import ChannelState
from wscli.daemon.channel.channel import Channel
from wscli.daemon.channel.sending import send_at_once
from wscli.daemon.fanout.sources import HistorySource
from wscli.daemon.registry.manager import Manager
from wscli.gateway.clients.channel_feed import ChannelFeed
from wscli.gateway.clients.closing import (
    CloseReason,
    reason_to_close,
)
from wscli.gateway.clients.forwarder import forward_through
from wscli.gateway.clients.parser import ClientMessage
from wscli.gateway.clients.replies import ClientReplies
from wscli.gateway.clients.session import ClientSession
from wscli.gateway.handshake import Handshake
from wscli.history.records import GapRecord, Start
from wscli.transport.connection import Connection, WrittenAtOnce
from wscli.transport.frames.close_codes import CloseCode

__all__ = ["SessionOptions", "SharedSession"]

logger = logging.getLogger("wscli.gateway")


MOST_REPLY_BYTES = 64 << 20
"""Bytes of replies that may wait for a client."""


class SessionOptions(NamedTuple):
    """What a client asked for in its URL."""

    start: Start
    as_records: bool = False
    strict: bool | None = None
    """Close the client as soon as the upstream connection is lost; None: its URL does not say."""
    stateful: bool = False
    """Its subprotocol has a state for each connection: one that replaces another without a gap is another."""


class SharedSession(ClientSession):
    """Serves one client of a channel until it leaves or the channel ends."""

    def __init__(self, manager: Manager, channel: Channel, handshake: Handshake, options: SessionOptions) -> None:
        source = HistorySource(channel.name, channel.history, options.start, channel.backpressure)
        feed = ChannelFeed(source, manager.clock, as_records=options.as_records, on_gap=self._skip)
        super().__init__(manager, channel, handshake, feed)
        self._strict, self._stateful = bool(options.strict), options.stateful
        self._replies = ClientReplies(channel, feed, on_reply=self._pass_reply, on_lost=self._miss_reply)

    @contextmanager
    def _serving(self) -> Iterator[None]:
        with self._channel.use():
            self._channel.readers += 1
            watch = self._manager.tasks.spawn(self._watch(), name="gateway-watch", on_crash=self._crashed)
            try:
                yield
            finally:
                self._replies.close()
                watch.cancel()
                self._channel.readers -= 1

    async def _forward(self, message: ClientMessage) -> None:
        await forward_through(self._channel, message, self._replies.ask())

    def _forward_at_once(self, message: ClientMessage) -> WrittenAtOnce:
        return send_at_once(self._channel, message.payload, binary=message.binary)

    def _pass_reply(self, waiting: int) -> None:
        self._writer.wake()
        if waiting > MOST_REPLY_BYTES:
            text = f"over {MOST_REPLY_BYTES >> 20} MiB of replies wait for the client"
            self._close(CloseReason(CloseCode.POLICY_VIOLATION, text), at_once=True)

    def _miss_reply(self) -> None:
        """Close the client, which would wait for ever: there is no reply to one of its requests."""
        if self._channel.plan.clients.strict is not False:
            self._loop.call_soon(self._close_unanswered)  # once the channel knows why its connection ended

    def _close_unanswered(self) -> None:
        lost = self._channel.state is not ChannelState.READY
        why = reason_to_close(self._channel, stopping=self._manager.stopping.is_set(), lost=lost)
        self._close(
            why or CloseReason(CloseCode.SERVICE_RESTART, "the connection was replaced before the reply to a request")
        )

    async def _watch(self) -> None:
        """Close the client when its channel ends, or is lost."""
        first = seen = self._seen()
        while True:
            lost = self._strict and (seen != first or seen[0] is not ChannelState.READY)  # it was let in ready
            if reason := reason_to_close(self._channel, stopping=self._manager.stopping.is_set(), lost=lost):
                self._close(reason)
                return
            await self._channel.tracker.wait_until(partial(self._differs, seen))
            seen = self._seen()

    def _seen(self) -> tuple[ChannelState, Connection | None]:
        return self._channel.state, self._channel.connection if self._stateful else None

    def _differs(self, seen: tuple[ChannelState, Connection | None]) -> bool:
        return self._channel.removed or self._seen() != seen

    def _skip(self, gap: GapRecord) -> None:
        """Log the messages that a client missed by its own pace or request: bare messages have no record of a gap."""
        whys = {"lagged": "was too slow and", "truncated": "asked for more than is kept, and"}
        if why := whys.get(gap.reason):
            name, count = self._channel.name, "some" if gap.missed is None else str(gap.missed)
            logger.warning(
                "%s: a client of the gateway %s missed %s messages", name, why, count, extra={"channel": name}
            )
            if self._strict:
                self._close(CloseReason(CloseCode.BAD_GATEWAY, f"missed {count} messages"), at_once=True)
