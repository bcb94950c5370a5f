"""What a client sends goes upstream: in order, held back while the channel is not ready, never dropped in silence."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from wscli.core.states import ChannelState
from wscli.errors import AuthError, ChannelUnavailable, NotSent, OutcomeUnknown
from wscli.gateway.wire import Message

if TYPE_CHECKING:
    from wscli.daemon.channel.channel import Channel

__all__ = ["HELD_BYTES", "HELD_MESSAGES", "Forwarder"]

HELD_BYTES = 1 << 20
HELD_MESSAGES = 1024
"""What may wait of one client, beside a message that is under way; beyond it nothing more is read from it."""
_PATIENCE = 10.0
"""Seconds of one try; another follows for as long as the client is there."""
_PAUSE = 0.05
"""Seconds before another try where the state does not tell when: the server is closing, or reads nothing."""


class Forwarder:
    """The messages of one client, on their way.

    Args:
        channel: where they go.
        on_room: called whenever a message left and there is room for more.

    """

    def __init__(self, channel: Channel, on_room: Callable[[], None]) -> None:
        self._channel = channel
        self._on_room = on_room
        self._waiting: deque[Message] = deque()
        self._bytes = 0
        self._some = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._over = False

    @property
    def full(self) -> bool:
        """Whether so much waits that nothing more should be read."""
        return self._bytes > HELD_BYTES or len(self._waiting) > HELD_MESSAGES

    def add(self, messages: list[Message]) -> None:
        """Take messages that the client sent."""
        if messages:
            self._waiting.extend(messages)
            self._bytes += sum(len(message.payload) for message in messages)
            self._some.set()
            if not self._over:
                self._idle.clear()

    async def drained(self) -> None:
        """Return when nothing waits and nothing is under way, or nothing will leave any more."""
        await self._idle.wait()

    def give_up(self) -> int:
        """Drop what has not left, and say how many messages that are."""
        count = len(self._waiting)
        self._waiting.clear()
        self._bytes = 0
        return count

    async def run(self) -> None:
        """Forward, until cancelled.

        Raises:
            OutcomeUnknown: the connection died when a message had been handed over.
            WscliError: the channel is of no use any more.

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
            await self._forward(message)
        except OutcomeUnknown:
            self._left(message)
            raise
        self._left(message)
        if not self.full:
            self._on_room()

    def _left(self, message: Message) -> None:
        if self._waiting and self._waiting[0] is message:  # else somebody gave up meanwhile
            self._waiting.popleft()
            self._bytes -= len(message.payload)

    async def _forward(self, message: Message) -> None:
        """Try until it is sent: what certainly was not sent may be tried again."""
        channel = self._channel
        while True:
            try:
                await channel.send(message.payload, binary=message.binary, timeout=_PATIENCE)
            except NotSent:
                await asyncio.sleep(_PAUSE)
            except (ChannelUnavailable, AuthError):
                if channel.state not in _HELD:
                    raise
                await channel.wait_for(_OTHERS)
            else:
                return


_HELD = frozenset({ChannelState.PAUSED, ChannelState.STOPPED})
"""Somebody holds it by hand, and may let it go."""
_OTHERS = frozenset(ChannelState) - _HELD
