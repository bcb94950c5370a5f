"""The connect budget: paced, fair, live, and never charged for those who went away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.daemon.virtual_time import VirtualTime
from wscli.clock import SystemClock
from wscli.daemon.upstream.dial.budget import ConnectBudget, Ticket
from wscli.values import Rate


class Queue:
    """A budget in virtual time, and the dials that it granted."""

    def __init__(self, rate: Rate) -> None:
        self.time = VirtualTime()
        self.budget = ConnectBudget(rate, self.time, schedule=self.time.schedule)
        self.granted: list[tuple[float, str]] = []
        self.waiters: dict[str, asyncio.Task[None]] = {}

    def enter(self, name: str, *, critical: bool = True) -> Ticket:
        place = self.budget.enter(critical=critical)
        task = self.waiters[name] = asyncio.create_task(self._wait(name, place))
        task.add_done_callback(lambda _: place.leave())
        return place

    async def herd(self, count: int) -> None:
        """Enter so many at once."""
        for number in range(count):
            self.enter(str(number))
        await self.time.settle()

    async def _wait(self, name: str, place: Ticket) -> None:
        await place.granted()
        self.granted.append((self.time.now, name))

    @property
    def times(self) -> list[float]:
        return [at for at, _ in self.granted]

    @property
    def names(self) -> list[str]:
        return [name for _, name in self.granted]


@asynccontextmanager
async def queue(rate: Rate) -> AsyncIterator[Queue]:
    """Make a queue, and leave no waiter behind."""
    made = Queue(rate)
    try:
        yield made
    finally:
        for task in made.waiters.values():
            task.cancel()
        await asyncio.gather(*made.waiters.values(), return_exceptions=True)
        assert len(made.budget) == 0
        assert made.time.pending == [], "a timer outlived the last waiter"


def most_in_a_second(times: list[float]) -> int:
    """Count the fullest window of one second, both of its ends included."""
    return max((sum(first <= at <= first + 1.0 for at in times) for first in times), default=0)


async def test_a_herd_of_300_is_paced_at_100_a_second_with_a_burst_of_10() -> None:
    async with queue(Rate(100, 1.0)) as q:
        await q.herd(300)
        assert len(q.granted) == 10
        await q.time.advance(2.9)
        assert len(q.granted) == 300
        assert q.names == [str(number) for number in range(300)]
        assert most_in_a_second(q.times) <= 110


async def test_only_one_timer_is_set_however_many_wait() -> None:
    async with queue(Rate(5, 1.0)) as q:
        for number in range(50):
            q.enter(str(number), critical=bool(number % 2))
        for _ in range(20):
            await q.time.advance(0.13)
            assert len(q.time.pending) == 1


async def test_critical_channels_go_first_and_each_kind_in_its_order() -> None:
    async with queue(Rate(1, 1.0)) as q:
        for name in ("now", "o1", "c1", "o2", "c2"):
            q.enter(name, critical=name.startswith("c"))
        await q.time.advance(10)
        assert q.names == ["now", "c1", "c2", "o1", "o2"]
        assert q.times == pytest.approx([1000.0, 1001.0, 1002.0, 1003.0, 1004.0])


async def test_ahead_is_live() -> None:
    async with queue(Rate(1, 1.0)) as q:
        q.enter("now")
        await q.time.settle()
        ordinary, critical = q.enter("o", critical=False), q.enter("c")
        assert (critical.ahead, ordinary.ahead) == (0, 1)
        q.waiters["c"].cancel()
        await q.time.settle()
        assert ordinary.ahead == 0
        later = q.enter("c2")
        assert (later.ahead, ordinary.ahead) == (0, 1)
        await q.time.advance(1)
        assert q.names == ["now", "c2"]
        assert (later.ahead, ordinary.ahead) == (0, 0)


async def test_a_quiet_spell_saves_no_more_than_the_burst() -> None:
    async with queue(Rate(30, 1.0)) as q:
        await q.time.advance(3600)
        await q.herd(10)
        assert len(q.granted) == 3


async def test_a_program_that_stood_still_makes_up_for_nothing() -> None:
    async with queue(Rate(10, 1.0)) as q:
        await q.herd(50)
        q.time.stall(3.0)
        await q.time.advance(0.0)
        assert len(q.granted) == 2  # one at once, one when the late timer rang
        await q.time.advance(1.05)
        assert len(q.granted) == 12


async def test_a_waiter_cancelled_in_the_queue_costs_nobody_anything() -> None:
    async with queue(Rate(1, 1.0)) as q:
        await q.herd(3)
        q.waiters["1"].cancel()
        q.time.ring_next()  # before the task of the second has run again
        await q.time.settle()
        assert q.granted == [(1000.0, "0"), (1001.0, "2")]


async def test_a_waiter_that_goes_between_its_call_and_its_turn_hands_the_turn_on() -> None:
    async with queue(Rate(1, 1.0)) as q:
        await q.herd(3)
        q.time.ring_next()  # the second is called, and its task has not run yet
        q.waiters["1"].cancel()
        await q.time.settle()
        assert q.granted == [(1000.0, "0"), (1001.0, "2")]


async def test_a_slower_rate_concerns_those_who_wait_and_owes_no_more_than_its_own_burst() -> None:
    async with queue(Rate(1000, 1.0)) as q:
        await q.herd(150)
        assert len(q.granted) == 100
        q.budget.rate = Rate(1, 1.0)
        assert q.budget.rate == Rate(1, 1.0)
        await q.time.advance(0.99)
        assert len(q.granted) == 100
        await q.time.advance(2.02)
        assert len(q.granted) == 103


async def test_on_a_real_loop_the_pace_is_kept() -> None:
    clock = SystemClock()
    budget = ConnectBudget(Rate(200, 1.0), clock)
    times: list[float] = []

    async def dial(critical: bool) -> None:
        await budget.enter(critical=critical).granted()
        times.append(clock.monotonic())

    await asyncio.gather(*(dial(bool(number % 2)) for number in range(60)))
    assert times[-1] - times[0] >= 40 / 200 * 0.99, "twenty at once, forty more at 200 a second"
    assert len(budget) == 0


rates = st.builds(Rate, st.integers(1, 400), st.sampled_from([0.1, 1.0, 7.0, 60.0]))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), st.integers(1, 20), st.booleans()),
        st.tuples(st.just("advance"), st.floats(0.0, 1.5), st.none()),
        st.tuples(st.just("stall"), st.floats(0.0, 1.5), st.none()),
        st.tuples(st.just("cancel"), st.integers(0, 200), st.booleans()),
    ),
    max_size=25,
)


async def play(q: Queue, script: list[tuple[str, float, bool | None]]) -> None:
    """Carry a script out; `cancel` with True strikes at the moment when the next timer has just rung."""
    for verb, amount, flag in script:
        if verb == "enter":
            for _ in range(int(amount)):
                q.enter(str(len(q.waiters)), critical=bool(flag))
        elif verb == "advance":
            await q.time.advance(amount)
        elif verb == "stall":
            q.time.stall(amount)
        elif q.waiters:
            if flag and q.time.pending:
                q.time.ring_next()
            list(q.waiters.values())[int(amount) % len(q.waiters)].cancel()


@settings(max_examples=300, deadline=None)
@given(rate=rates, script=steps)
async def test_no_second_sees_more_than_the_rate_and_a_tenth(
    rate: Rate, script: list[tuple[str, float, bool | None]]
) -> None:
    """Never more than 1.1 * rate + 1 grants in any window of one second; nobody who stays is forgotten."""
    async with queue(rate) as q:
        await play(q, script)
        waiting = len(q.budget)
        await q.time.advance((waiting + 1) * rate.interval)
        stayed = {name for name, task in q.waiters.items() if not task.cancelled()}
        assert set(q.names) == stayed
        assert most_in_a_second(q.times) <= rate.events / rate.seconds * 1.1 + 1


@settings(max_examples=100, deadline=None)
@given(before=rates, after=rates, count=st.integers(1, 100))
async def test_a_new_rate_holds_from_the_moment_it_is_set(before: Rate, after: Rate, count: int) -> None:
    async with queue(before) as q:
        await q.herd(count)
        await q.time.advance(0.5)
        already = len(q.granted)
        q.budget.rate = after
        await q.time.advance((count + 1) * after.interval)
        assert len(q.granted) == count
        assert most_in_a_second(q.times[already:]) <= after.events / after.seconds * 1.1 + 1


@settings(max_examples=100, deadline=None)
@given(rate=rates, count=st.integers(1, 40), gone=st.sets(st.integers(0, 39)))
async def test_those_who_left_change_nothing_for_those_who_stay(rate: Rate, count: int, gone: set[int]) -> None:
    async def times(names: list[int], leaving: set[int]) -> list[float]:
        async with queue(rate) as q:
            for name in names:
                q.enter(str(name))
                if name in leaving:
                    q.waiters[str(name)].cancel()
            await q.time.advance((count + 1) * rate.interval)
            return q.times

    staying = [name for name in range(count) if name not in gone]
    assert await times(list(range(count)), gone) == pytest.approx(await times(staying, set()))
