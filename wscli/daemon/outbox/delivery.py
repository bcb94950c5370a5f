"""Delivery: one task for each channel that has queued messages.

A task sends one message after another and marks each before it sends the next, so a manager that is killed repeats at
most one message of a channel, and keeps the order.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from wscli.core.states import ChannelState
from wscli.daemon.channel.channel import Channel
from wscli.daemon.outbox.messages import QueuedMessage
from wscli.daemon.outbox.store import OutboxStore
from wscli.daemon.outbox.thread import StoreThread
from wscli.daemon.registry.manager import Manager
from wscli.errors import NotSent, OutcomeUnknown, WscliError
from wscli.session.actions import MessageRefused

__all__ = ["Deliveries"]

logger = logging.getLogger("wscli.manager")

ATTEMPT = 1e9
"""Seconds for an open connection to take one message: practically unlimited. A message that was handed over may arrive
as long as the connection lives, so it is not tried again before that ends; the keep-alive detects a server that does
not read."""
AGAIN = 1.0
"""Seconds between two attempts to send one message."""
AFTER_CRASH = 5.0
"""Seconds after which a delivery that failed by an internal error goes on."""
SETTLE = 1.0
"""Seconds for the messages that are being sent when the manager stops."""


class Deliveries:
    """The deliveries of all channels; ``queued`` returns how many queued messages the channel of a name has."""

    def __init__(self, manager: Manager, store: StoreThread, queued: Callable[[str], int]) -> None:
        self._manager = manager
        self._store = store
        self._queued = queued
        self._running: dict[str, tuple[Delivery, asyncio.Task[None]]] = {}
        self._ending = False

    def update(self, name: str) -> None:
        """Begin the delivery of a channel that has queued messages, or end that of one that has none left."""
        running = self._running.get(name)
        if not self._queued(name):
            if running is not None and not running[0].sending:
                running[1].cancel()
                self._manager.problems.mended(_problem(name))
                self._manager.problems.mended("outbox")  # it may have insisted; the file has taken a change since
        elif running is None and not self._ending:
            self._begin(name)

    async def settle(self) -> None:
        """Begin no further message, and wait a moment for those that are being sent to be marked."""
        self._ending = True
        for delivery, task in self._running.values():
            delivery.ending = True
            if not delivery.sending:
                task.cancel()
        if self._running:
            await asyncio.wait([task for _, task in self._running.values()], timeout=SETTLE)

    def _begin(self, name: str) -> None:
        def ended(task: asyncio.Task[None]) -> None:
            del self._running[name]
            self.update(name)

        try:
            channel = self._manager.channel(name)
        except WscliError:
            return  # not declared any more: its messages stay listed
        delivery = Delivery(channel, self._manager, self._store, lambda: self._queued(name))
        task = self._manager.tasks.spawn(delivery.run(), name=f"outbox {name}")
        self._running[name] = delivery, task
        task.add_done_callback(ended)


class Delivery:
    """Sends the messages of one channel until none is queued."""

    def __init__(self, channel: Channel, manager: Manager, store: StoreThread, queued: Callable[[], int]) -> None:
        self.sending = False
        """Whether a message is being sent or marked: cancelling the task now leaves its outcome in doubt."""
        self.ending = False
        """Set when no further message may begin."""
        self._channel = channel
        self._clock = manager.clock
        self._problems = manager.problems
        self._store = store
        self._queued = queued
        self._next: QueuedMessage | None = None
        """The next message, where the last mark returned it."""

    async def run(self) -> None:
        """Deliver until nothing is queued, the channel is removed or ``ending`` is set; go on after a crash."""
        problem = _problem(self._channel.name)
        while True:
            try:
                await self._deliver()
            except Exception as error:
                logger.exception("delivery of the %s failed", problem)
                self._problems.state(problem, f"delivery stopped: {error}; tried again in {AFTER_CRASH:g} s")
                await asyncio.sleep(AFTER_CRASH)
            else:
                return self._problems.mended(problem)

    async def _deliver(self) -> None:
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
                    self._problems.mended(_problem(self._channel.name))
                    if again:
                        await asyncio.sleep(AGAIN)
        finally:
            self._put_back()

    async def _may_send(self) -> bool:
        if self._channel.state is not ChannelState.READY and not self.ending:
            self._put_back()  # so that it may expire or be removed while it waits
            await self._channel.wait_for({ChannelState.READY})
        return not (self._channel.removed or self.ending)

    async def _take(self) -> QueuedMessage | None:
        message, self._next = self._next, None
        if message is not None and self._left(message) > 0:
            return message
        return await self._store.insist(lambda store: store.next(self._channel.name, self._clock.wall()))

    def _left(self, message: QueuedMessage) -> float:
        """Return the seconds that an attempt may take: it ends when the message expires."""
        return ATTEMPT if message.expires is None else min(ATTEMPT, message.expires - self._clock.wall())

    async def _send(self, message: QueuedMessage) -> bool:
        """Try once and mark the result; return whether to try again after a while."""
        handed_over = False

        def payload() -> bytes:
            nonlocal handed_over
            handed_over = True
            return message.payload

        try:
            if not message.binary:
                message.payload.decode()  # checked when it was queued: fails only if the file is damaged
            await self._channel.send(payload, binary=message.binary, timeout=self._left(message))
        except UnicodeDecodeError as error:
            reason = f"it is not UTF-8 at byte {error.start}"
            await self._store.insist(lambda store: store.mark_rejected(message.id, reason))
        except MessageRefused as error:
            reason = error.message
            await self._store.insist(lambda store: store.mark_rejected(message.id, reason))
        except (NotSent, OutcomeUnknown) as error:
            await self._store.insist(self._failed(message, error.message, doubt=isinstance(error, OutcomeUnknown)))
            return True
        except WscliError:
            self._put_back()  # paused, stopped or failed in the meantime: not an attempt
        except asyncio.CancelledError:
            if handed_over:
                self._store.submit(self._failed(message, "the manager was stopped while it was being sent", doubt=True))
            raise
        else:
            self._next = await self._store.insist(lambda store: store.mark_sent(message.id, self._clock.wall()))
        return False

    def _failed(self, message: QueuedMessage, reason: str, *, doubt: bool) -> Callable[[OutboxStore], None]:
        now = self._clock.wall()
        return lambda store: store.mark_failed(message.id, reason, now, doubt=doubt)

    def _put_back(self) -> None:
        self._next = None
        self._store.submit(lambda store: store.put_back(self._channel.name))


def _problem(channel: str) -> str:
    return f"outbox of {channel}"
