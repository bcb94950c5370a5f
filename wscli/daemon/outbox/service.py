"""The outbox of one instance, as the manager's process uses it."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from shlex import quote
from typing import Any

from wscli.control.messages import QueueOutcome, QueueReceipt
from wscli.core.states import SETTLED
from wscli.daemon.channel.channel import Channel
from wscli.daemon.outbox.delivery import Deliveries
from wscli.daemon.outbox.messages import NO_MESSAGES, CommitReport, Loss, MessageCounts
from wscli.daemon.outbox.store import OutboxStore
from wscli.daemon.outbox.thread import StoreThread
from wscli.daemon.outbox.waiters import OutcomeWaiter
from wscli.daemon.registry.manager import Manager
from wscli.daemon.registry.observer import Observer
from wscli.database.opening import DatabaseError
from wscli.errors import ChannelUnavailable, NotSent, UnknownChannel, UsageError, WscliError

__all__ = ["Outbox"]

logger = logging.getLogger("wscli.manager")

_MAX_KEY_BYTES = 1024
"""Bytes of a key; an instance remembers a hundred thousand keys."""
LOOK = 2.0
"""Seconds between two looks whether the file is still there."""
LONGEST_SLEEP = 60.0
"""Seconds after which the wall clock is read again: it may be set."""


class Outbox(Observer):
    """The outbox of one instance; its file at ``path`` is created with the first message, refused without a path."""

    def __init__(self, manager: Manager, path: Path | None) -> None:
        self._manager = manager
        self._store = StoreThread(path, self._committed, manager.problems)
        self._counts: dict[str, MessageCounts] = {}
        self._deliveries = Deliveries(manager, self._store, lambda name: self.counts(name)["queued"])
        self._waiters: set[OutcomeWaiter] = set()
        self._changed = asyncio.Event()
        """Set and replaced whenever a flush may be done, or may never be."""
        self._next_expiry: float | None = None
        self._expiry_changed = asyncio.Event()
        self._expiring: asyncio.Task[None] | None = None
        self._ending = False

    async def start(self) -> None:
        """Deliver what an earlier manager accepted; a file that cannot be used is a problem until it can."""
        try:
            await self._require_file()
        except (OSError, DatabaseError):
            self._manager.tasks.spawn(self._store.insist(lambda store: None), name="outbox opening")
        self._manager.tasks.spawn(self._look(), name="outbox look")

    async def queue(
        self,
        channel: str,
        payloads: Sequence[bytes],
        *,
        binary: bool,
        ttl: float | None,
        key: str | None,
        waiter: OutcomeWaiter | None = None,
    ) -> QueueReceipt:
        """Put messages on the disk, all or none.

        ``waiter`` is told their outcomes, or that of the queued message that has the key already.

        Raises:
            NotSent: the outbox is full, or its file cannot be written to.
            UsageError: the key is too long.
        """
        if key is not None and len(key.encode("utf-8", "surrogatepass")) > _MAX_KEY_BYTES:
            text = f"the key {key[:40]!r} is over {_MAX_KEY_BYTES} bytes"
            raise UsageError(text, "a digest of it names the message as well")
        if not payloads:
            return QueueReceipt(queued=0, known=0, first=0, state="queued")
        now = self._manager.clock.wall()
        add = functools.partial(
            OutboxStore.add, channel=channel, payloads=payloads, binary=binary, ttl=ttl, key=key, now=now
        )
        try:
            receipt = await self._store.submit(add)
        except DatabaseError as error:
            raise NotSent(error.message, error.hint) from None
        if waiter is not None and receipt["state"] == "queued":
            waiter.pending.update(range(receipt["first"], receipt["first"] + max(receipt["queued"], 1)))
        return receipt

    @contextmanager
    def waiting(self) -> Iterator[OutcomeWaiter]:
        """Give a waiter for ``queue``."""
        waiter = OutcomeWaiter()
        self._waiters.add(waiter)
        try:
            yield waiter
        finally:
            self._waiters.discard(waiter)

    def counts(self, channel: str) -> MessageCounts:
        """Return how many messages the channel of a name has."""
        return self._counts.get(channel, NO_MESSAGES)

    async def list(self, channels: Sequence[str]) -> list[dict[str, Any]]:
        """Return the rows of ``outbox ls``."""
        return await self._store.submit(lambda store: store.list(channels)) if self._store.exists() else []

    async def remove(self, numbers: Sequence[int]) -> int:
        """Remove messages by number, all or none, and return how many."""
        return await self._store.submit(lambda store: store.remove(numbers))

    async def remove_expired(self) -> int:
        """Remove all expired messages, and return how many."""
        return await self._store.submit(OutboxStore.remove_expired) if self._store.exists() else 0

    async def remove_channel(self, channel: str) -> int:
        """Remove all messages of a channel, and return how many.

        Raises:
            WscliError: one of them is being sent; the others are removed.
        """
        if not self._store.exists():
            return 0
        removed, held = await self._store.submit(lambda store: store.remove_channel(channel))
        if held:
            others = "1 other is" if removed == 1 else f"{removed} others are"
            raise WscliError(
                f"a message of channel {channel!r} is being sent at this moment; {others} removed",
                f"`wscli outbox ls {quote(channel)}` says whether it still waits",
            )
        return removed

    async def flush(self) -> None:
        """Wait until nothing is queued.

        Raises:
            ChannelUnavailable: a channel that has queued messages will not become ready by itself.
            DatabaseError: the file cannot be used.
        """
        await self._require_file()
        while waiting := [name for name, counts in self._counts.items() if counts["queued"]]:
            for name in waiting:
                self._require_deliverable(name)
            await self._changed.wait()

    async def settle(self) -> None:
        """Begin no further message, and wait a moment for those that are being sent to be marked."""
        self._ending = True
        await self._deliveries.settle()

    async def close(self) -> None:
        """Finish what was submitted to the file, and close it; the manager's tasks have ended."""
        self._ending = True
        await self._store.close()

    async def _require_file(self) -> None:
        if self._store.exists():
            await self._store.submit(lambda store: None)

    # the observer of the manager

    def channel_made(self, channel: Channel) -> None:
        """Show the messages that the name of the new channel has already."""
        self._report(channel)

    def channel_changed(self, channel: Channel) -> None:
        """Show whether the channel is settled, and let flushes check it."""
        self._report(channel)
        self._wake_flushes()

    def reloaded(self) -> None:
        """Begin the deliveries of channels that are declared again."""
        for channel in self._manager.channels():
            self._report(channel)
        for name in list(self._counts):
            self._deliveries.update(name)
        self._wake_flushes()

    def _committed(self, report: CommitReport) -> None:
        if report.outcomes:  # later, when whoever queued a message that ended at once has its receipt
            asyncio.get_running_loop().call_soon(self._tell, report.outcomes)
        if report.loss is not None:
            self._lost(report.loss)
        if self._ending:
            return
        before, self._counts = self._counts, report.counts
        if changed := {name for name in before.keys() | self._counts if before.get(name) != self._counts.get(name)}:
            for channel in self._manager.channels():
                if channel.name in changed:
                    self._report(channel)
            for name in changed:
                self._deliveries.update(name)
            if any(not self.counts(name)["queued"] for name in changed):
                self._wake_flushes()
        self._next_expiry = report.next_expiry
        self._expiry_changed.set()
        if self._next_expiry is not None and self._expiring is None:
            self._expiring = self._manager.tasks.spawn(self._expire(), name="outbox expiry")

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            await self._store.look()

    def _lost(self, loss: Loss) -> None:
        logger.warning("outbox: %s", loss.text, extra={"event": "outbox-lost"})
        if not loss.upto:
            return
        self._manager.problems.state("outbox file", loss.text)
        for waiter in self._waiters:
            numbers = [number for number in waiter.pending if number <= loss.upto]
            waiter.tell([QueueOutcome(id=one, outcome="unknown", reason=loss.text) for one in numbers])

    def _tell(self, outcomes: Sequence[QueueOutcome]) -> None:
        for waiter in self._waiters:
            waiter.tell(outcomes)

    async def _expire(self) -> None:
        """Set expired messages aside until nothing can expire."""
        wall = self._manager.clock.wall
        try:
            while self._next_expiry is not None:
                left = self._next_expiry - wall()
                if left <= 0:
                    self._next_expiry = None  # the report that follows has the next
                    await self._store.insist(lambda store: store.expire(wall()))
                    continue
                self._expiry_changed.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(left, LONGEST_SLEEP)):
                        await self._expiry_changed.wait()
        finally:
            self._expiring = None

    def _require_deliverable(self, name: str) -> None:
        try:
            error = self._manager.channel(name).unavailable()
        except UnknownChannel as unknown:
            error = unknown
        if error is not None:
            count = self.counts(name)["queued"]
            raise ChannelUnavailable(f"channel {name!r} has {count} queued: {error.message}", error.hint)

    def _report(self, channel: Channel) -> None:
        """Have ``stats`` and ``status`` of a channel show its messages."""
        counts = self.counts(channel.name)
        channel.outbox = dict(counts)
        parts = [f"{counts[state]} {state}" for state in ("expired", "rejected") if counts[state]]
        if counts["queued"] and channel.state in SETTLED:
            parts.insert(0, f"{counts['queued']} queued while it is {channel.state}")
        if parts and not channel.removed:
            channel.problems.state("outbox", f"{', '.join(parts)}; see `wscli outbox ls {quote(channel.name)}`")
        else:
            channel.problems.mended("outbox")

    def _wake_flushes(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
