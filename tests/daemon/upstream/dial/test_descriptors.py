"""Dials wait while the process is out of file descriptors, say so, and go on by themselves."""

from __future__ import annotations

import asyncio

from tests.daemon.scripted import channel_plan, scripted
from tests.daemon.virtual_time import VirtualTime
from wscli.core.states import ChannelState
from wscli.daemon.upstream.dial.descriptors import NEXT, SPARE, DescriptorLimit


class Limit:
    """A limit in virtual time, with as many free descriptors as the test says."""

    def __init__(self) -> None:
        self.time = VirtualTime()
        self.free = 0
        self.problems: list[str | None] = []
        self.reasons: list[str] = []
        self.granted: list[int] = []
        self.limit = DescriptorLimit(
            self.problems.append, schedule=self.time.schedule, enough=lambda count: self.free >= count
        )

    def dial(self, number: int) -> asyncio.Task[None]:
        async def wait() -> None:
            await self.limit.room(lambda code, text: self.reasons.append(text))
            self.free -= 1
            self.granted.append(number)

        return asyncio.create_task(wait())


async def test_a_dial_with_enough_free_descriptors_waits_for_nothing() -> None:
    it = Limit()
    it.free = SPARE
    await it.dial(1)
    assert (it.granted, it.problems, it.time.pending) == ([1], [], [])


async def test_dials_wait_with_a_reason_and_go_on_in_order_as_descriptors_become_free() -> None:
    it = Limit()
    tasks = [it.dial(number) for number in range(4)]
    await it.time.advance(60)
    assert it.granted == []
    assert all("out of file descriptors" in text for text in (*it.reasons, *map(str, it.problems)))
    assert len(it.reasons) == 4
    it.free = SPARE + 1
    await it.time.advance(2)
    assert it.granted == [0, 1], "each takes one, and the rest is kept free"
    it.free = SPARE + 10
    await it.time.advance(2 + 2 * NEXT)
    await asyncio.gather(*tasks)
    assert it.granted == [0, 1, 2, 3]
    assert it.problems[-1] is None
    assert it.time.pending == []


async def test_a_cancelled_dial_leaves_the_queue() -> None:
    it = Limit()
    first, second = it.dial(1), it.dial(2)
    await it.time.settle()
    first.cancel()
    it.free = SPARE
    await it.time.advance(2)
    await second
    assert it.granted == [2]
    assert it.problems[-1] is None
    assert it.time.pending == []


async def test_a_dial_that_was_cancelled_a_moment_ago_is_passed_over() -> None:
    it = Limit()
    first, second = it.dial(1), it.dial(2)
    await it.time.settle()
    it.free = SPARE
    first.cancel()
    it.time.ring_next()
    await it.time.advance(2)
    await second
    assert it.granted == [2]
    assert it.time.pending == []


async def test_status_gives_the_reason_and_the_problem_of_a_channel_that_waits_for_descriptors() -> None:
    async with scripted(channel_plan("calls")) as it:
        (calls,) = it.manager.channels()
        limit = it.manager._services.dialer._descriptors
        limit._enough = lambda count: False
        calls.restart()
        await it.time.advance(5)
        assert calls.state is ChannelState.CONNECTING
        assert "out of file descriptors" in calls.status()["reason"]["text"]
        assert [text for text in it.manager.problems.texts() if "out of file descriptors" in text]
        limit._enough = lambda count: True
        await it.time.advance(5)
        assert calls.state is ChannelState.READY
        assert it.manager.problems.texts() == []
