"""Forwarding of a client's messages upstream: in order, held while the channel is not ready, never dropped silently."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from wscli.core.states import ChannelState
from wscli.daemon.channel.channel import Channel
from wscli.daemon.upstream.session.seam import AwaitedReply
from wscli.errors import AuthError, ChannelUnavailable, NotSent, OutcomeUnknown
from wscli.gateway.clients.parser import ClientMessage
from wscli.session.actions import MessageRefused

__all__ = ["HELD_BYTES", "HELD_MESSAGES", "Forwarder", "forward_through"]

HELD_BYTES = 1 << 20
HELD_MESSAGES = 1024
"""Messages held for one client, besides the one being sent; the client is not read from beyond that."""
_PATIENCE = 10.0
"""Seconds of one try; tries follow each other while the client is connected."""
_PAUSE = 0.05
"""Seconds before another try where no change of the state would announce it."""


class Forwarder:
    """Forwards the messages of one client, by ``send``; ``on_room`` is called when there is room for more."""

    def __init__(self, send: Callable[[ClientMessage], Awaitable[None]], on_room: Callable[[], None]) -> None:
        self._send = send
        self._on_room = on_room
        self._waiting: deque[ClientMessage] = deque()
        self._bytes = 0
        self._some = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._over = False

    @property
    def full(self) -> bool:
        """Whether the client should not be read from."""
        return self._bytes > HELD_BYTES or len(self._waiting) > HELD_MESSAGES

    @property
    def idle(self) -> bool:
        """Whether no message waits."""
        return self._idle.is_set() and not self._over

    def add(self, messages: list[ClientMessage]) -> None:
        """Add messages of the client."""
        if messages:
            self._waiting.extend(messages)
            self._bytes += sum(len(message.payload) for message in messages)
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
        message = self._waiting[0]
        try:
            await self._send(message)
        except (OutcomeUnknown, MessageRefused):
            self._left(message)
            raise
        self._left(message)
        if not self.full:
            self._on_room()

    def _left(self, message: ClientMessage) -> None:
        if self._waiting and self._waiting[0] is message:  # else it was given up meanwhile
            self._waiting.popleft()
            self._bytes -= len(message.payload)


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
