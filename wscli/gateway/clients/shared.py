"""A client that shares its channel's upstream: it gets the channel's messages, and what it sends goes upstream."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from wscli.core.states import ChannelState
from wscli.daemon.channel.channel import Channel
from wscli.daemon.fanout.sources import HistorySource
from wscli.daemon.registry.manager import Manager
from wscli.gateway.clients.channel_feed import ChannelFeed
from wscli.gateway.clients.closing import (
    BAD_GATEWAY,
    POLICY_VIOLATION,
    SERVICE_RESTART,
    CloseReason,
    reason_to_close,
)
from wscli.gateway.clients.forwarder import forward_through
from wscli.gateway.clients.parser import ClientMessage
from wscli.gateway.clients.replies import ClientReplies
from wscli.gateway.clients.session import ClientSession
from wscli.gateway.handshake import Handshake
from wscli.history.records import GapRecord, Start

__all__ = ["SessionOptions", "SharedSession"]

logger = logging.getLogger("wscli.gateway")


MOST_REPLY_BYTES = 64 << 20
"""Bytes of replies that may wait for a client."""


class SessionOptions(NamedTuple):
    """What a client asked for in its URL."""

    start: Start
    as_records: bool = False
    strict: bool = False
    """Close the client as soon as the upstream connection is lost."""


class SharedSession(ClientSession):
    """Serves one client of a channel until it leaves or the channel ends."""

    def __init__(self, manager: Manager, channel: Channel, handshake: Handshake, options: SessionOptions) -> None:
        source = HistorySource(channel.name, channel.history, options.start, channel.backpressure)
        feed = ChannelFeed(source, manager.clock, as_records=options.as_records, on_gap=self._skip)
        super().__init__(manager, channel, handshake, feed)
        self._options = options
        self._replies = ClientReplies(channel, feed, on_reply=self._pass_reply, on_lost=self._miss_reply)

    @contextmanager
    def _attached(self) -> Iterator[None]:
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

    def _pass_reply(self, waiting: int) -> None:
        self._writer.wake()
        if waiting > MOST_REPLY_BYTES:
            text = f"over {MOST_REPLY_BYTES >> 20} MiB of replies wait for the client"
            self._close(CloseReason(POLICY_VIOLATION, text), at_once=True)

    def _miss_reply(self) -> None:
        """Close the client, which would wait for ever: there is no reply to one of its requests."""
        if self._channel.plan.clients.strict is not False:
            self._loop.call_soon(self._close_unanswered)  # once the channel knows why its connection ended

    def _close_unanswered(self) -> None:
        lost = self._channel.state is not ChannelState.READY
        why = reason_to_close(self._channel, stopping=self._manager.stopping.is_set(), lost=lost)
        self._close(why or CloseReason(SERVICE_RESTART, "the connection was replaced before the reply to a request"))

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
