"""A state machine of channels, connections, the disk and the clock: each accepted message is sent once, expires, is
removed or stays queued; a channel's messages leave in order; outcomes are true, and no task is left at the end.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from tests.daemon.machines import LoopMachine, in_loop
from tests.daemon.registry.test_manager_machine import name_of
from tests.daemon.scripted import REFUSED, Scripted, ScriptedLink, changed, channel_plan, closed, status
from tests.examples import EXAMPLES
from wscli.config.models.upstream import Rotate
from wscli.control.messages import QueueOutcome
from wscli.core.events import Failure
from wscli.core.states import ChannelState as S
from wscli.daemon.outbox import Outbox, delivery, store, thread
from wscli.daemon.outbox.messages import NO_MESSAGES
from wscli.daemon.outbox.waiters import OutcomeWaiter
from wscli.database import transaction
from wscli.errors import NotSent, OutcomeUnknown, UnknownChannel, WscliError

PLANS = (
    channel_plan("news", rotate=Rotate(max_age=20.0)),
    channel_plan("calls", eager=False, linger=5.0),
    channel_plan("rooms/{id}"),
)
NAMES = st.sampled_from(["news", "calls", "rooms/1", "rooms/2"])
CHANGES = st.sampled_from([None, {}, {"linger": 2.0}, {"max_message": 1}, {"max_message": 2}])
ENDS = st.sampled_from([closed(code) for code in (1000, 1002, 1006)])
REFUSALS = st.sampled_from([REFUSED, status(410), status(503)])
BY_HAND = st.sampled_from(["start", "stop", "restart", "pause", "resume"])


class Request(NamedTuple):
    """The arguments of one call of ``queue``."""

    channel: str
    count: int
    ttl: float | None
    key: str | None


REQUESTS = st.builds(
    Request, NAMES, st.integers(1, 3), st.sampled_from([None, None, 0.0, 0.5, 5.0, 60.0]), st.none()
) | st.builds(Request, NAMES, st.just(1), st.sampled_from([None, 5.0]), st.sampled_from(["k", "j"]))


class Accepted(NamedTuple):
    """A message that the outbox accepted."""

    channel: str
    payload: bytes
    key: str | None


class EachMessageOnce(LoopMachine):
    """No time passes between two rules; each rule waits until the outbox is idle."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        patch = self.stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(delivery, "AGAIN", 0.0)
        patch.setattr(thread, "RETRY", 0.0)
        patch.setattr(store, "transaction", self.failing)
        self.patch = patch
        self.state = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.plans = PLANS
        self.disk_fails = 0
        self.stalled = False
        self.waiting: dict[asyncio.Future[bool], tuple[ScriptedLink, bytes]] = {}
        """The messages handed to servers that do not read."""
        self.number = 0
        self.accepted: dict[int, Accepted] = {}
        self.removed: set[int] = set()
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
    def begin(self) -> None:
        self.do(self.up(1000.0, 0.0))

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

    # requests

    @rule(requests=st.lists(REQUESTS, min_size=1, max_size=4))
    @in_loop
    async def queue(self, requests: list[Request]) -> None:
        await asyncio.gather(*(self.accept(request) for request in requests))

    async def accept(self, request: Request) -> None:
        payloads = [f"{self.number + index}".encode() for index in range(request.count)]
        self.number += request.count
        try:
            name = self.it.manager.channel(request.channel).name
            options: dict[str, Any] = {"binary": False, "ttl": request.ttl, "key": request.key, "waiter": self.waiter}
            added = await self.outbox.queue(name, payloads, **options)
        except (UnknownChannel, NotSent):
            return
        if not added["queued"]:
            first = self.accepted[added["first"]]
            assert (first.channel, first.key) == (name, request.key), "the known message has that key"
            return
        assert added["queued"] == request.count
        for index, payload in enumerate(payloads):
            assert added["first"] + index not in self.accepted
            self.accepted[added["first"] + index] = Accepted(name, payload, request.key)
            self.watched.add(added["first"] + index)

    @rule(index=st.integers(0, 99))
    def remove_one(self, index: int) -> None:
        async def remove() -> None:
            if rows := await self.outbox.list([]):
                number = rows[index % len(rows)]["id"]
                await self.outbox.remove([number])
                self.removed.add(number)

        self.do(self.may_fail(remove()))

    @rule(name=NAMES)
    def remove_all_of_a_channel(self, name: str) -> None:
        async def remove() -> None:
            before = {row["id"] for row in await self.outbox.list([name])}
            try:
                await self.outbox.remove_channel(name)
            finally:
                self.removed |= before - {row["id"] for row in await self.outbox.list([name])} - self.gone()

        self.do(self.may_fail(remove()))

    @rule()
    def remove_what_expired(self) -> None:
        async def remove() -> None:
            expired = {row["id"] for row in await self.outbox.list([]) if row["state"] == "expired"}
            await self.outbox.remove_expired()
            self.removed |= expired

        self.do(self.may_fail(remove()))

    @staticmethod
    async def may_fail(work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except WscliError:  # it is being sent, or the disk refuses
            return

    @rule(name=NAMES, what=BY_HAND)
    @in_loop
    async def by_hand(self, name: str, what: str) -> None:
        try:
            getattr(self.it.manager.channel(name), what)()
        except UnknownChannel:
            return

    @rule(changes=st.tuples(CHANGES, CHANGES, CHANGES), at_once=st.booleans())
    @in_loop
    async def reload(self, changes: tuple[dict[str, Any] | None, ...], at_once: bool) -> None:
        if not at_once:
            self.apply(())
        self.plans = tuple(
            changed(plan, **change) for plan, change in zip(PLANS, changes, strict=True) if change is not None
        )
        self.apply(self.plans)

    def apply(self, plans: tuple[Any, ...]) -> None:
        self.it.manager.apply(replace(self.it.manager.plan, channels={plan.name: plan for plan in plans}))

    @rule()
    def restart(self) -> None:
        async def restart() -> None:
            await self.down()
            await self.up(self.it.time.now, self.it.time.slept)

        self.disk_fails = 0
        self.do(restart())

    # faults and time

    @rule(failure=ENDS, index=st.integers(0, 9))
    @in_loop
    async def a_link_ends(self, failure: Failure, index: int) -> None:
        if links := self.it.server.links:
            links[index % len(links)].end(failure)

    @rule(refusals=st.lists(REFUSALS, max_size=3))
    def refuse(self, refusals: list[Failure]) -> None:
        self.it.server.refusals = list(refusals)

    @rule()
    def servers_stop_reading(self) -> None:
        self.stalled = True

    @rule()
    @in_loop
    async def servers_read_on(self) -> None:
        self.stalled = False
        for future in list(self.waiting):
            self.settle(future, taken=True)

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

    # invariants

    def gone(self) -> set[int]:
        taken = {payload for _, payload in self.taken}
        return {number for number, one in self.accepted.items() if one.payload in taken}

    @invariant()
    def each_message_is_sent_once_or_listed_or_was_removed(self) -> None:
        rows = {row["id"]: row for row in self.do(self.outbox.list([]))}
        sent = self.gone()
        assert max(Counter(self.taken).values(), default=0) <= 1
        assert sent.isdisjoint(rows)
        assert sent.isdisjoint(self.removed)
        assert self.removed.isdisjoint(rows)
        assert sent | self.removed | set(rows) == set(self.accepted)
        for number in self.watched:
            told, row = self.told.get(number), rows.get(number)
            assert (told is None) == (row is not None and row["state"] == "queued"), (
                "an outcome is told when the message leaves the queue"
            )
            if told is None:
                continue
            doubted = self.accepted[number].payload in self.doubted
            assert told["outcome"] in (
                ("sent",) if number in sent else ("unknown",) if doubted else ("expired", "removed")
            )
        self.check_counts(list(rows.values()))
        self.check_keys({number for number, row in rows.items() if row["state"] == "queued"} | sent)

    def check_counts(self, rows: list[dict[str, Any]]) -> None:
        counted = Counter((row["channel"], row["state"]) for row in rows)
        for channel in self.it.manager.channels():
            expected = {state: counted[channel.name, state] for state in NO_MESSAGES}
            assert self.outbox.counts(channel.name) == expected
            assert channel.stats()["outbox"] == expected
            assert channel.in_use == bool(expected["queued"]), "a channel is in use while it has queued messages"
            busy = {name_of(link) for link, _ in self.waiting.values()}
            assert channel.state is not S.READY or not expected["queued"] or channel.name in busy, "it is stuck"
        now = self.it.time.wall()
        held = {payload for _, payload in self.waiting.values()}
        for row in rows:
            if row["state"] == "queued" and self.accepted[row["id"]].payload not in held:
                assert row["expires_at"] is None or row["expires_at"] > now, "it has expired"

    def check_keys(self, known: set[int]) -> None:
        keys = Counter((one.channel, one.key) for number in known if (one := self.accepted[number]).key is not None)
        assert max(keys.values(), default=0) <= 1

    @invariant()
    def the_messages_of_a_channel_leave_in_their_order(self) -> None:
        last: dict[str, int] = {}
        numbers = {one.payload: number for number, one in self.accepted.items()}
        for name, payload in self.taken:
            number = numbers[payload]
            assert self.accepted[number].channel == name
            assert number > last.get(name, 0)
            last[name] = number

    def teardown(self) -> None:
        try:
            if hasattr(self, "it"):
                self.loop.run_until_complete(self.ends_in_time())
        finally:
            self.loop.run_until_complete(self.cancel_what_is_left())
            self.stack.close()
            self.loop.close()

    async def cancel_what_is_left(self) -> None:
        """Cancel the tasks that a failed test leaves, so that its failure is shown."""
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def ends_in_time(self) -> None:
        async with asyncio.timeout(60):
            await self.ends()

    async def ends(self) -> None:
        """Remove every fault: all messages are sent, and all tasks end."""
        self.it.server.refusals, self.stalled, self.disk_fails = [], False, 0
        for future in list(self.waiting):
            self.settle(future, taken=True)
        self.apply(PLANS)
        await self.quiet()
        for name in {row["channel"] for row in await self.outbox.list([]) if row["state"] == "queued"}:
            self.it.manager.channel(name).start()
        await self.it.time.advance(60.0)
        await self.look_at_the_clock()
        await self.quiet()
        left = [row for row in await self.outbox.list([]) if row["state"] != "expired"]
        assert left == [], [channel.status() for channel in self.it.manager.channels()]
        await self.outbox.flush()
        await self.down()


EachMessageOnce.TestCase.settings = settings(
    max_examples=max(60, EXAMPLES // 20), stateful_step_count=30, deadline=None
)
TestEachMessageOnce = EachMessageOnce.TestCase
