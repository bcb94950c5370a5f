"""A one-shot timer: at most one call is pending, and it is made once."""

from __future__ import annotations

from tests.daemon.virtual_time import VirtualTime
from wscli.timing import OneShot


async def test_starting_again_replaces_the_pending_call() -> None:
    time, calls = VirtualTime(), list[str]()
    timer = OneShot(time.schedule)
    timer.start(1.0, lambda: calls.append("first"))
    timer.start(2.0, lambda: calls.append("second"))
    await time.advance(3.0)
    assert calls == ["second"]
    assert not timer.pending


async def test_cancelling_says_whether_a_call_was_pending() -> None:
    time, calls = VirtualTime(), list[str]()
    timer = OneShot(time.schedule)
    assert not timer.cancel()
    timer.start(1.0, lambda: calls.append("never"))
    assert timer.cancel()
    await time.advance(2.0)
    assert calls == []


async def test_a_call_may_start_its_own_timer_again() -> None:
    time, calls = VirtualTime(), list[float]()
    timer = OneShot(time.schedule)

    def tick() -> None:
        calls.append(time.now)
        if len(calls) < 3:
            timer.start(1.0, tick)

    start = time.now
    timer.start(1.0, tick)
    await time.advance(5.0)
    assert calls == [start + 1, start + 2, start + 3]
