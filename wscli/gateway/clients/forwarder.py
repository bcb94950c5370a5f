"""Forwarding of a client's messages upstream: in order, held while the channel is not ready, never dropped silently."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

from wscli.core.states import ChannelState
from wscli.daemon.channel.channel import Channel
from wscli.daemon.upstream.session.seam import AwaitedReply
from wscli.errors import AuthError, ChannelUnavailable, NotSent, OutcomeUnknown
from wscli.gateway.clients.parser import ClientMessage
from wscli.session.actions import MessageRefused
from wscli.transport.connection import WrittenAtOnce

__all__ = ["HELD_BYTES", "HELD_MESSAGES", "MOST_AT_ONCE", "Forwarder", "forward_through"]

HELD_BYTES = 1 << 20
HELD_MESSAGES = 1024
"""Messages held for one client, besides the one being sent; the client is not read from beyond that."""
MOST_AT_ONCE = 1 << 15
"""Bytes of a message that need not wait; TLS takes a larger one in parts."""
_PATIENCE = 10.0
"""Seconds of one try; tries follow each other while the client is connected."""
_PAUSE = 0.05
"""Seconds before another try where no change of the state would announce it."""


class _Waiting(NamedTuple):
    """A message that waits for its turn, or for the kernel to take it."""

    size: int
    send: Callable[[], Awaitable[None]]


class Forwarder:
    """Forwards the messages of one client, in their order.

    Args:
        send: sends a message, or raises as ``run`` does.
        on_room: called when there is room for more.
        send_at_once: sends it in this turn, unless it has to wait.
    """

    def __init__(
        self,
        send: Callable[[ClientMessage], Awaitable[None]],
        on_room: Callable[[], None],
        *,
        send_at_once: Callable[[ClientMessage], WrittenAtOnce],
    ) -> None:
        self._send = send
        self._on_room = on_room
        self._send_at_once = send_at_once
        self._waiting: deque[_Waiting] = deque()
        self._bytes = 0
        self._some = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._over = False

    @property
    def full(self) -> bool:
        """Whether the client should not be read from."""
        return self._bytes > HELD_BYTES or len(self._waiting) > HELD_MESSAGES

    def add(self, messages: list[ClientMessage]) -> None:
        """Add messages of the client; those that need not wait are sent at once."""
        for message in messages:
            size = len(message.payload)
            free = not self._waiting and not self._over and size <= MOST_AT_ONCE
            sent = free and self._send_at_once(message)
            if sent is not True:
                self._add(_Waiting(size, sent or partial(self._send, message)))

    def _add(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        self._bytes += waiting.size
        self._some.set()
        if not self._over:
            self._idle.clear()

    async def drained(self) -> None:
        """Return when every message was sent, or forwarding ended."""
        await self._idle.wait()

    def give_up(self) -> int:
        """Drop the unsent messages and give their number."""
        count = len(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        return count

    async def run(self) -> None:
        """Forward, until cancelled.

        Raises:
            OutcomeUnknown: the connection died after a message was handed over.
            MessageRefused: the channel's session can never send a message.
            WscliError: nothing can be sent any more.
        """
        try:
            while True:
                while self._waiting:
                    await self._forward_first()
                self._some.clear()
                self._idle.set()
                await self._some.wait()
        finally:
            self._over = True
            self._idle.set()

    async def _forward_first(self) -> None:
        first = self._waiting[0]
        try:
            await first.send()
        except (OutcomeUnknown, MessageRefused):
            self._left(first)
            raise
        self._left(first)
        if not self.full:
            self._on_room()

    def _left(self, one: _Waiting) -> None:
        if self._waiting and self._waiting[0] is one:  # else it was given up meanwhile
            self._waiting.popleft()
            self._bytes -= one.size


_HELD = frozenset({ChannelState.PAUSED, ChannelState.STOPPED})
"""States set by hand, which may end by hand."""
_OTHERS = frozenset(ChannelState) - _HELD


async def forward_through(channel: Channel, message: ClientMessage, reply: AwaitedReply | None) -> None:
    """Send a message over a shared channel; while it was certainly not sent, try again. Raises as ``Channel.send``."""
    while True:
        try:
            await channel.send(message.payload, binary=message.binary, timeout=_PATIENCE, reply=reply)
        except MessageRefused:
            raise
        except NotSent:
            await asyncio.sleep(_PAUSE)
        except (ChannelUnavailable, AuthError):
            if channel.state not in _HELD:
                raise
            await channel.wait_for(_OTHERS)
        else:
            return
