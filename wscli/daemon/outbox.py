"""Delivery of the outbox: a task for each channel that has something queued sends one message after another.

A message is marked before the next is sent, so that a crash repeats one at most. The file is used in one thread of its
own: the loop never waits for a disk.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from wscli.control.paths import state_directory
from wscli.database import DatabaseError
from wscli.errors import ChannelUnavailable, NotSent, OutcomeUnknown, UnknownChannel, WscliError
from wscli.outbox.store import Census, Message, OutboxStore
from wscli.states import SETTLED, ChannelState

if TYPE_CHECKING:
    from wscli.daemon.channel import Channel
    from wscli.daemon.manager import Manager

__all__ = ["Outbox"]

logger = logging.getLogger("wscli.manager")

T = TypeVar("T")

ATTEMPT = 30.0
"""Seconds for an open connection to take one message."""
AGAIN = 1.0
"""Seconds between two tries to send one message."""
RETRY = 5.0
"""Seconds between two tries to write to a file that refuses."""
LONGEST_SLEEP = 60.0
"""Seconds after which the time is looked at again: the wall clock may be set."""


class Outbox:
    """The outbox of one instance; its file is opened when there is something to put in, or at once if there is one."""

    def __init__(self, manager: Manager, environ: Mapping[str, str]) -> None:
        self._manager = manager
        self._environ = environ
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="wscli-outbox")
        self._store: OutboxStore | None = None
        self._census = Census({}, None)
        self._senders: dict[str, asyncio.Task[None]] = {}
        self._sending: set[str] = set()
        """Channels that take a message at this moment: nobody could say what became of one that is cancelled."""
        self._waiters: set[asyncio.Future[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        manager.watchers.append(self._report)
        manager.after_apply.append(self._follow)

    # what is asked of it

    async def start(self) -> None:
        """Deliver what an earlier manager accepted; a file that cannot be used is a stated problem."""
        try:
            if self._path().exists():
                await self._call(OutboxStore.expire, self._manager.clock.wall())
        except (OSError, WscliError) as error:
            self._manager.problems.state("outbox", str(error))

    async def queue(
        self, channel: str, payloads: Sequence[bytes], *, binary: bool, ttl: float | None, key: str | None
    ) -> int:
        """Accept messages, all or none, and give how many are new, once they are on the disk.

        Raises:
            NotSent: the outbox is full, or its file cannot be written to.

        """
        add = functools.partial(OutboxStore.add, binary=binary, ttl=ttl, key=key, now=self._manager.clock.wall())
        try:
            return await self._call(add, channel, payloads)
        except DatabaseError as error:
            raise NotSent(error.message, error.hint) from None

    async def list(self, channels: Sequence[str]) -> list[dict[str, Any]]:
        """Give the rows of ``outbox ls``."""
        return await self._call(OutboxStore.list, channels) if self._exists() else []

    async def remove(self, *, numbers: Sequence[int] = (), expired: bool = False, channel: str | None = None) -> int:
        """Remove messages by number, what expired, or what a channel has; give how many there were."""
        if channel is not None:
            return await self._call(OutboxStore.remove_channel, channel) if self._exists() else 0
        if expired:
            return await self._call(OutboxStore.remove_expired) if self._exists() else 0
        return await self._call(OutboxStore.remove, numbers)

    async def flush(self) -> None:
        """Return once nothing is queued.

        Raises:
            ChannelUnavailable: a channel that has something queued is not going to be ready.

        """
        while waiting := [name for name in self._census.channels if self._queued(name)]:
            for name in waiting:
                self._require_hope(name)
            changed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.add(changed)
            try:
                await changed
            finally:
                self._waiters.discard(changed)

    async def close(self) -> None:
        """Finish what the thread has begun, and close the file; the senders have ended by then."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        self._thread.shutdown()

    def _close(self) -> None:
        if self._store is not None:
            self._store.close()

    # the file

    def _path(self) -> Path:
        return Path(state_directory(self._environ), self._manager.plan.name, "outbox.db")

    def _exists(self) -> bool:
        return self._store is not None or self._path().exists()

    async def _call(self, method: Callable[..., T], *args: Any) -> T:
        """Call a method of the store in its thread; one that has begun is finished, whether or not it is awaited."""

        def work() -> tuple[T, Census]:
            if self._store is None:
                self._store = OutboxStore(self._path())
            return method(self._store, *args), self._store.census()

        future = asyncio.get_running_loop().run_in_executor(self._thread, work)
        future.add_done_callback(self._counted)
        return (await asyncio.shield(future))[0]

    def _counted(self, future: asyncio.Future[tuple[Any, Census]]) -> None:
        if future.cancelled() or future.exception() is not None or self._closed:
            return
        self._census = future.result()[1]
        self._manager.problems.mended("outbox")
        self._follow()

    async def _insist(self, method: Callable[..., T], *args: Any) -> T:
        """Call until the file takes it; meanwhile the fault is a stated problem."""
        while True:
            try:
                return await self._call(method, *args)
            except DatabaseError as error:
                self._manager.problems.state("outbox", error.message)
                await asyncio.sleep(RETRY)

    # delivery

    def _follow(self) -> None:
        """Bring tasks, timer and reports in line with what is queued now."""
        if self._closed:
            return
        for name in self._census.channels:
            sender = self._senders.get(name)
            if self._queued(name) and (sender is None or sender.done() or sender.cancelling()):
                self._begin(name)
        for name, sender in list(self._senders.items()):
            if not self._queued(name) and name not in self._sending and not sender.done():
                sender.cancel()
        for channel in self._manager.channels():
            self._report(channel)
        self._set_timer()

    def _begin(self, name: str) -> None:
        def crashed(error: BaseException) -> None:
            self._manager.problems.state(f"outbox of {name}", f"delivery stopped: {error}")

        try:
            channel = self._manager.channel(name)
        except WscliError:
            return  # it left the configuration: what it has stays listed
        self._senders[name] = self._manager.tasks.spawn(self._deliver(channel), name=f"outbox {name}", on_crash=crashed)

    async def _deliver(self, channel: Channel) -> None:
        clock = self._manager.clock
        with channel.use():
            while True:
                await channel.wait_for({ChannelState.READY})
                if channel.removed:
                    asyncio.get_running_loop().call_soon(self._follow)  # once this has ended: it may be declared anew
                    return
                message = await self._insist(OutboxStore.next, channel.name, clock.wall())
                if message is None:
                    if not self._queued(channel.name):
                        return
                    continue
                self._sending.add(channel.name)
                try:
                    await self._send(channel, message)
                finally:
                    self._sending.discard(channel.name)

    async def _send(self, channel: Channel, message: Message) -> None:
        """Try once, and mark what became of it."""
        try:
            if not message.binary:
                message.payload.decode()  # checked when it was queued: only a damaged file has another
            await channel.send(message.payload, binary=message.binary, timeout=ATTEMPT)
        except UnicodeDecodeError as error:
            await self._insist(OutboxStore.mark_rejected, message.id, f"it is not UTF-8 at byte {error.start}")
        except (NotSent, OutcomeUnknown) as error:
            await self._insist(OutboxStore.mark_failed, message.id, error.message)
            await asyncio.sleep(AGAIN)
        except WscliError:
            return  # paused, stopped or failed between the two: it is no attempt
        else:
            await self._insist(OutboxStore.mark_sent, message.id, self._manager.clock.wall())

    def _queued(self, name: str) -> int:
        return self._census.channels.get(name, {}).get("queued", 0)

    def _require_hope(self, name: str) -> None:
        try:
            error = self._manager.channel(name).unavailable()
        except UnknownChannel as unknown:
            error = unknown
        if error is not None:
            raise ChannelUnavailable(f"{self._queued(name)} of channel {name!r} wait: {error.message}", error.hint)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._census.next_expiry is not None:
            left = max(0.0, self._census.next_expiry - self._manager.clock.wall())
            self._timer = asyncio.get_running_loop().call_later(min(left, LONGEST_SLEEP), self._expire)

    def _expire(self) -> None:
        self._timer = None
        self._manager.tasks.spawn(self._insist(OutboxStore.expire, self._manager.clock.wall()), name="outbox expiry")

    # what it tells

    def _report(self, channel: Channel) -> None:
        """Let a channel's ``stats`` and ``status`` say what it has in the outbox."""
        counts = self._census.channels.get(channel.name, {"queued": 0, "expired": 0, "rejected": 0})
        channel.outbox = counts
        parts = [f"{counts[state]} {state}" for state in ("expired", "rejected") if counts[state]]
        if counts["queued"] and channel.state in SETTLED:
            parts.insert(0, f"{counts['queued']} queued while it is {channel.state}")
        if parts and not channel.removed:
            channel.problems.state("outbox", f"{', '.join(parts)}; see `wscli outbox ls {channel.name}`")
        else:
            channel.problems.mended("outbox")
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
