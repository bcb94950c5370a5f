"""Many events in a short time are one change, told soon."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.daemon.virtual_time import VirtualTime
from wscli.network.monitor import Debounce


def bounce() -> tuple[VirtualTime, Debounce, list[float]]:
    time, told = VirtualTime(), []
    debounce = Debounce(lambda: told.append(time.now), clock=time, schedule=time.schedule)
    return time, debounce, told


@pytest.mark.parametrize(
    ("events", "times", "first"),
    [(1, 1, 1000.3), (10, 1, 1001.2), (100, 5, 1002.0)],
    ids=["a lone event after the quiet", "a burst once", "events without end every two seconds"],
)
async def test_events_in_a_short_time_are_told_once_and_by_one_timer(events: int, times: int, first: float) -> None:
    time, debounce, told = bounce()
    for _ in range(events):
        debounce.event()
        assert len(time.pending) == 1
        await time.advance(0.1)
    await time.advance(10.0)
    assert (len(told), time.pending) == (times, [])
    assert abs(told[0] - first) < 1e-3


async def test_what_was_cancelled_is_not_told() -> None:
    time, debounce, told = bounce()
    debounce.event()
    debounce.cancel()
    debounce.cancel()
    assert time.pending == []
    await time.advance(10.0)
    assert told == []
    debounce.event()
    await time.advance(10.0)
    assert len(told) == 1


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=30))
async def test_every_event_is_told_within_two_seconds_and_never_more_often_than_events(gaps: list[float]) -> None:
    time, debounce, told = bounce()
    events = []
    for gap in gaps:
        await time.advance(gap)
        events.append(time.now)
        debounce.event()
    await time.advance(3.0)
    assert len(told) <= len(events)
    for event in events:
        assert min(at - event for at in told if at >= event) <= 2.0001
