"""Delivery of one channel's messages: one after another, each marked before the next is handed over.

So a manager that is killed repeats one message of a channel at most, and the order holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from wscli.clock import Clock
from wscli.core.states import ChannelState
from wscli.daemon.outbox.file import OutboxFile
from wscli.database import DatabaseError
from wscli.errors import NotSent, OutcomeUnknown, WscliError
from wscli.outbox.store import Message, OutboxStore
from wscli.problems import Problems

if TYPE_CHECKING:
    from wscli.daemon.channel.channel import Channel

__all__ = ["RETRY", "Delivery", "insist"]

T = TypeVar("T")

ATTEMPT = 1e9
"""Seconds for an open connection to take one message: as good as for ever. What was handed over may arrive as long as
the connection lives, so it is not tried again before that ends; the keep-alive says that a server reads nothing."""
AGAIN = 1.0
"""Seconds between two tries to send one message."""
RETRY = 5.0
"""Seconds between two tries to write to a file that refuses."""


async def insist(file: OutboxFile, problems: Problems, call: Callable[[OutboxStore], T]) -> T:
    """Call until the file takes it; meanwhile the fault is a stated problem."""
    while True:
        try:
            return await file.submit(call)
        except DatabaseError as error:
            problems.state("outbox", error.message)
            await asyncio.sleep(RETRY)


class Delivery:
    """What sends the messages of one channel, until none is queued."""

    def __init__(
        self,
        channel: Channel,
        file: OutboxFile,
        problems: Problems,
        clock: Clock,
        *,
        queued: Callable[[], int],
        on_progress: Callable[[], None],
    ) -> None:
        """``queued`` gives how many messages there are, ``on_progress`` is called after each attempt that ended."""
        self.name = channel.name
        self.sending = False
        """Whether a message is being handed over, or marked: whoever cancels now leaves its outcome in doubt."""
        self.ending = False
        """Set by whoever wants no further message to begin."""
        self._channel = channel
        self._file = file
        self._problems = problems
        self._clock = clock
        self._queued = queued
        self._on_progress = on_progress
        self._next: Message | None = None
        """What is to be sent next, where the last mark brought it along."""

    async def run(self) -> None:
        """Send until nothing is queued, the channel is removed, or it is to end."""
        try:
            with self._channel.use():
                while self._queued() and await self._may_send():
                    message = await self._take()
                    if message is None:
                        return
                    if self._channel.state is not ChannelState.READY:
                        continue
                    self.sending = True
                    try:
                        again = await self._send(message)
                    finally:
                        self.sending = False
                    self._on_progress()
                    if again:
                        await asyncio.sleep(AGAIN)
        finally:
            self._put_back()

    async def _may_send(self) -> bool:
        if self._channel.state is not ChannelState.READY and not self.ending:
            self._put_back()  # while it waits it may be removed, or expire
            await self._channel.wait_for({ChannelState.READY})
        return not (self._channel.removed or self.ending)

    async def _take(self) -> Message | None:
        message, self._next = self._next, None
        if message is not None and self._left(message) > 0:
            return message
        return await self._insist(lambda store: store.next(self.name, self._clock.wall()))

    def _left(self, message: Message) -> float:
        """Give the seconds that an attempt may take: none goes on when the message has expired."""
        return ATTEMPT if message.expires is None else min(ATTEMPT, message.expires - self._clock.wall())

    async def _send(self, message: Message) -> bool:
        """Try once, and mark what became of it; say whether it is to be tried again after a while."""
        handed_over = False

        def payload() -> bytes:
            nonlocal handed_over
            handed_over = True
            return message.payload

        try:
            if not message.binary:
                message.payload.decode()  # checked when it was queued: only a damaged file has another
            await self._channel.send(payload, binary=message.binary, timeout=self._left(message))
        except UnicodeDecodeError as error:
            reason = f"it is not UTF-8 at byte {error.start}"
            await self._insist(lambda store: store.mark_rejected(message.id, reason))
        except (NotSent, OutcomeUnknown) as error:
            await self._insist(self._failed(message, error.message, doubt=isinstance(error, OutcomeUnknown)))
            return True
        except WscliError:
            self._put_back()  # paused, stopped or failed between the two: it is no attempt
        except asyncio.CancelledError:
            if handed_over:
                self._file.submit(self._failed(message, "the manager was stopped while it was being sent", doubt=True))
            raise
        else:
            self._next = await self._insist(lambda store: store.mark_sent(message.id, self._clock.wall()))
        return False

    def _failed(self, message: Message, reason: str, *, doubt: bool) -> Callable[[OutboxStore], None]:
        now = self._clock.wall()
        return lambda store: store.mark_failed(message.id, reason, now, doubt=doubt)

    def _put_back(self) -> None:
        self._next = None
        self._file.submit(lambda store: store.put_back(self.name))

    async def _insist(self, call: Callable[[OutboxStore], T]) -> T:
        return await insist(self._file, self._problems, call)
