"""What the machine of the outbox runs in: a manager, a disk that may refuse, servers that may not read, and time."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from tests.daemon.machines import ManagerMachine, in_loop, name_of
from tests.daemon.scripted import Scripted, ScriptedLink, changed, channel_plan
from wscli.config.models.upstream import Rotate
from wscli.control.messages import QueueOutcome
from wscli.core.failures import Failure
from wscli.daemon.outbox import Outbox, delivery, store, thread
from wscli.daemon.outbox.waiters import OutcomeWaiter
from wscli.database.opening import transaction
from wscli.errors import NotSent, OutcomeUnknown

PLANS = (
    channel_plan("news", rotate=Rotate(max_age=20.0)),
    channel_plan("calls", eager=False, linger=5.0),
    channel_plan("rooms/{id}"),
)
CHANGES = st.sampled_from([None, {}, {"linger": 2.0}, {"max_message": 1}, {"max_message": 2}])


class OutboxWorld(ManagerMachine):
    """No time passes between two rules; each rule waits until the outbox is idle."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.patch = self.stack.enter_context(pytest.MonkeyPatch.context())
        self.patch.setattr(delivery, "AGAIN", 0.0)
        self.patch.setattr(thread, "RETRY", 0.0)
        self.patch.setattr(store, "transaction", self.failing)
        self.state = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.plans = PLANS
        self.disk_fails = 0
        self.stalled = False
        self.waiting: dict[asyncio.Future[bool], tuple[ScriptedLink, bytes]] = {}
        """The messages handed to servers that do not read."""
        self.taken: list[tuple[str, bytes]] = []
        """The messages that servers took, in order."""
        self.doubted: set[bytes] = set()
        """The messages that they may have taken."""
        self.watched: set[int] = set()
        self.told: dict[int, QueueOutcome] = {}

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        async def doing() -> Any:
            result = await work
            await self.quiet()
            return result

        return super().do(doing())

    async def quiet(self) -> None:
        """Wait until the file has carried out every call and no new one is made."""
        idle = 0
        while idle < 3:
            await self.it.time.settle()
            working = self.outbox._store._working
            if working is None:
                idle += 1
            else:
                idle = 0
                await asyncio.wait({working})
        while self.waiter._outcomes:
            for one in await self.waiter.news():
                assert one["id"] not in self.told, "an outcome is told once"
                self.told[one["id"]] = one

    @contextmanager
    def failing(self, database: sqlite3.Connection) -> Iterator[None]:
        """Refuse the next ``disk_fails`` transactions at their commit."""
        with transaction(database):
            yield
            if self.disk_fails:
                self.disk_fails -= 1
                raise sqlite3.OperationalError("database or disk is full")

    @initialize()
    @in_loop
    async def begin(self) -> None:
        await self.up(1000.0, 0.0)

    async def up(self, now: float, slept: float) -> None:
        self.it = Scripted(*self.plans)
        self.it.time.now, self.it.time.slept = now, slept
        self.it.server.on_open = self.serve
        self.outbox = Outbox(self.it.manager, Path(self.state, "outbox.db"))
        self.it.manager.observe(self.outbox)
        self.waiting_client = ExitStack()
        self.waiter: OutcomeWaiter = self.waiting_client.enter_context(self.outbox.waiting())
        self.it.manager.open()
        await self.outbox.start()

    async def down(self) -> None:
        self.patch.setattr(delivery, "SETTLE", 0.01 if self.waiting else 30.0)
        self.watched -= self.waiter.pending
        self.waiting_client.close()
        await self.outbox.settle()
        await self.it.close()
        await self.outbox.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert self.outbox._waiters == set()

    def teardown(self) -> None:
        with self.stack:
            super().teardown()

    # the server

    def serve(self, link: ScriptedLink) -> None:
        end = link.end

        def ends(failure: Failure) -> None:
            end(failure)
            for future in [future for future, (owner, _) in self.waiting.items() if owner is link]:
                self.settle(future, taken=False)

        link.send = partial(self.take, link)  # type: ignore[method-assign]  # a link that may not read
        link.end = ends  # type: ignore[method-assign]

    @staticmethod
    def settle(future: asyncio.Future[bool], *, taken: bool) -> None:
        if not future.done():
            future.set_result(taken)

    async def take(self, link: ScriptedLink, payload: bytes, *, binary: bool, timeout: float) -> None:
        if not link.open:
            raise NotSent("the connection is closed")
        if self.stalled:
            future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            self.waiting[future] = link, payload
            timer = self.it.time.schedule(timeout, partial(self.settle, future, taken=False))
            taken = False
            try:
                taken = await future
            finally:
                del self.waiting[future]
                timer.cancel()
                if not taken:
                    self.doubted.add(payload)
            if not taken:
                raise OutcomeUnknown("the connection ended while the message was being sent")
        self.taken.append((name_of(link), payload))

    @rule()
    def servers_stop_reading(self) -> None:
        self.stalled = True

    @rule()
    @in_loop
    async def servers_read_on(self) -> None:
        self.stalled = False
        for future in list(self.waiting):
            self.settle(future, taken=True)

    # the manager

    @rule(changes=st.tuples(CHANGES, CHANGES, CHANGES), at_once=st.booleans())
    @in_loop
    async def reload(self, changes: tuple[dict[str, Any] | None, ...], at_once: bool) -> None:
        if not at_once:
            await self.apply(())
        pairs = zip(PLANS, changes, strict=True)
        self.plans = tuple(changed(plan, **change) for plan, change in pairs if change is not None)
        await self.apply(self.plans)

    @rule()
    @in_loop
    async def restart(self) -> None:
        self.disk_fails = 0
        await self.down()
        await self.up(self.it.time.now, self.it.time.slept)

    # the disk and time

    @rule(times=st.integers(1, 4))
    def the_disk_is_full(self, times: int) -> None:
        self.disk_fails = times

    @rule(seconds=st.sampled_from([0.3, 1.0, 5.0, 30.0, 700.0]))
    @in_loop
    async def time_passes(self, seconds: float) -> None:
        await self.it.time.advance(seconds)
        await self.look_at_the_clock()

    @rule(seconds=st.sampled_from([-100.0, -3.0, 3.0, 100.0]))
    @in_loop
    async def the_clock_is_set(self, seconds: float) -> None:
        self.it.time.slept += seconds
        await self.look_at_the_clock()

    async def look_at_the_clock(self) -> None:
        """Wake the expiry, which sleeps in the time of the event loop."""
        await self.quiet()
        self.outbox._expiry_changed.set()
