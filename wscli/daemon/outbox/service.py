"""The outbox of one instance: what is asked of it, what follows a change, and what it tells."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wscli.control.paths import state_directory
from wscli.core.states import SETTLED
from wscli.daemon.outbox.deliveries import Deliveries
from wscli.daemon.outbox.delivery import insist
from wscli.daemon.outbox.file import OutboxFile
from wscli.daemon.outbox.watches import Watch, Watches
from wscli.database import DatabaseError
from wscli.errors import ChannelUnavailable, NotSent, UnknownChannel, WscliError
from wscli.outbox.books import NOTHING, Counts
from wscli.outbox.ledger import Changes
from wscli.outbox.store import Added, OutboxStore

if TYPE_CHECKING:
    from wscli.daemon.channel.channel import Channel
    from wscli.daemon.registry.manager import Manager

__all__ = ["Outbox"]

LONGEST_SLEEP = 60.0
"""Seconds after which the time is looked at again: the wall clock may be set."""


class Outbox:
    """The outbox of one instance; its file is opened when there is something to put in, or at once if there is one."""

    def __init__(self, manager: Manager, environ: Mapping[str, str]) -> None:
        self._manager = manager
        self._environ = environ
        self._file = OutboxFile(self._path, self._changed)
        self._counts: dict[str, Counts] = {}
        """By channel, of those that have any."""
        self._deliveries = Deliveries(manager, self._file, self._queued)
        self._flushing: set[asyncio.Event] = set()
        self._watches = Watches()
        self._timer: asyncio.TimerHandle | None = None
        self._next_expiry: float | None = None
        self._expiring: asyncio.Task[None] | None = None
        """What puts aside what expired: one at a time, however often the file refuses."""
        self._ending = False
        manager.watchers.append(self._channel_changed)
        manager.newcomers.append(self._report)
        manager.after_apply.append(self._applied)

    # what is asked of it

    async def start(self) -> None:
        """Deliver what an earlier manager accepted; a file that cannot be used is a stated problem until it can."""
        try:
            await self._require_file()
        except OSError as error:
            self._manager.problems.state("outbox", str(error))
        except DatabaseError:
            self._expire()

    async def queue(
        self,
        channel: str,
        payloads: Sequence[bytes],
        *,
        binary: bool,
        ttl: float | None,
        key: str | None,
        watch: Watch | None = None,
    ) -> Added:
        """Accept messages, all or none, and say which they are, once they are on the disk.

        ``watch`` is told what becomes of them, or of the message that had the key before.

        Raises:
            NotSent: the outbox is full, or its file cannot be written to.

        """
        if not payloads:
            return Added(0, 0, "queued")
        now = self._manager.clock.wall()
        add = functools.partial(
            OutboxStore.add, channel=channel, payloads=payloads, binary=binary, ttl=ttl, key=key, now=now
        )
        try:
            added = await self._file.submit(add)
        except DatabaseError as error:
            raise NotSent(error.message, error.hint) from None
        if watch is not None and added.state == "queued":
            self._watches.add(watch, range(added.first, added.first + max(added.new, 1)))
        return added

    @contextmanager
    def watching(self) -> Iterator[Watch]:
        """Give a watch for ``queue``, which is told of nothing more afterwards."""
        watch = Watch()
        try:
            yield watch
        finally:
            self._watches.remove(watch)

    async def list(self, channels: Sequence[str]) -> list[dict[str, Any]]:
        """Give the rows of ``outbox ls``."""
        return await self._file.submit(lambda store: store.list(channels)) if self._file.exists() else []

    async def remove(self, numbers: Sequence[int]) -> int:
        """Remove messages by number, all or none, and give how many there were."""
        return await self._file.submit(lambda store: store.remove(numbers))

    async def remove_expired(self) -> int:
        """Remove what expired, and give how many there were."""
        return await self._file.submit(OutboxStore.remove_expired) if self._file.exists() else 0

    async def remove_channel(self, channel: str) -> int:
        """Remove what a channel has, and give how many there were.

        Raises:
            WscliError: one of them is being sent; the others are removed.

        """
        if not self._file.exists():
            return 0
        removed = await self._file.submit(lambda store: store.remove_channel(channel))
        if removed.held:
            others = "1 other is" if removed.messages == 1 else f"{removed.messages} others are"
            raise WscliError(
                f"a message of channel {channel!r} is being sent at this moment; {others} removed",
                f"`wscli outbox ls {channel}` says whether it still waits",
            )
        return removed.messages

    async def flush(self) -> None:
        """Return once nothing is queued.

        Raises:
            ChannelUnavailable: a channel that has something queued is not going to be ready.
            DatabaseError: the file cannot be used, so nobody knows.

        """
        await self._require_file()
        changed = asyncio.Event()
        self._flushing.add(changed)
        try:
            while waiting := [name for name in self._counts if self._queued(name)]:
                for name in waiting:
                    self._require_hope(name)
                changed.clear()
                await changed.wait()
        finally:
            self._flushing.discard(changed)

    async def settle(self) -> None:
        """Begin no further message, and wait a moment for those that are being sent to be marked as what they are."""
        self._ending = True
        await self._deliveries.settle()

    async def close(self) -> None:
        """Finish what was begun with the file, and close it; the deliveries have ended by then."""
        self._ending = True
        if self._timer is not None:
            self._timer.cancel()
        await self._file.close()

    async def _require_file(self) -> None:
        if self._file.exists():
            await self._file.submit(lambda store: None)

    def _path(self) -> Path:
        return Path(state_directory(self._environ), self._manager.plan.name, "outbox.db")

    # what follows a change

    def _changed(self, changes: Changes) -> None:
        if changes.fates:  # of one that was accepted and expired at once as well: whoever queued it is there by then
            asyncio.get_running_loop().call_soon(self._watches.tell, changes.fates)
        if self._ending:
            return
        if changes.written:
            self._manager.problems.mended("outbox")
        present = {channel.name: channel for channel in self._manager.channels()} if changes.counts else {}
        for name, counts in changes.counts.items():
            if counts == NOTHING:
                self._counts.pop(name, None)
            else:
                self._counts[name] = counts
            if name in present:
                self._report(present[name])
            self._deliveries.look(name)
            if not counts["queued"]:
                self._wake_flushes()
        self._set_timer(changes.next_expiry)

    def _applied(self) -> None:
        """A reload may have declared anew what a message waits for."""
        for channel in self._manager.channels():
            self._report(channel)
        for name in list(self._counts):
            self._deliveries.look(name)
        self._wake_flushes()

    def _channel_changed(self, channel: Channel) -> None:
        self._report(channel)
        self._wake_flushes()

    def _queued(self, name: str) -> int:
        return self._counts.get(name, NOTHING)["queued"]

    def _require_hope(self, name: str) -> None:
        try:
            error = self._manager.channel(name).unavailable()
        except UnknownChannel as unknown:
            error = unknown
        if error is not None:
            raise ChannelUnavailable(f"{self._queued(name)} of channel {name!r} wait: {error.message}", error.hint)

    def _set_timer(self, next_expiry: float | None) -> None:
        self._next_expiry = next_expiry
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if next_expiry is not None and self._expiring is None:
            left = max(0.0, next_expiry - self._manager.clock.wall())
            self._timer = asyncio.get_running_loop().call_later(min(left, LONGEST_SLEEP), self._expire)

    def _expire(self) -> None:
        """Put aside what is past its time, as soon as the file can be used."""
        self._timer = None
        clock = self._manager.clock
        expiring = insist(self._file, self._manager.problems, lambda store: store.expire(clock.wall()))
        self._expiring = self._manager.tasks.spawn(expiring, name="outbox expiry")
        self._expiring.add_done_callback(self._expired)

    def _expired(self, task: asyncio.Task[None]) -> None:
        self._expiring = None
        if not self._ending:
            self._set_timer(self._next_expiry)

    # what it tells

    def _report(self, channel: Channel) -> None:
        """Let a channel's ``stats`` and ``status`` say what it has in the outbox."""
        counts = self._counts.get(channel.name, NOTHING)
        channel.outbox = dict(counts)
        parts = [f"{counts[state]} {state}" for state in ("expired", "rejected") if counts[state]]
        if counts["queued"] and channel.state in SETTLED:
            parts.insert(0, f"{counts['queued']} queued while it is {channel.state}")
        if parts and not channel.removed:
            channel.problems.state("outbox", f"{', '.join(parts)}; see `wscli outbox ls {channel.name}`")
        else:
            channel.problems.mended("outbox")

    def _wake_flushes(self) -> None:
        for changed in self._flushing:
            changed.set()
