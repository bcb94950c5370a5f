"""One client's replay, in a time of the test's own."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.mock.recorded import Scene, gap, message, recorded
from wscli.mock.records import RecordedMessage
from wscli.mock.replay import Pace, Replay, ReplayOptions


async def played(
    records: Sequence[dict[str, Any]],
    *,
    channel: str = "news",
    start: int = 0,
    most: int = 100,
    takes: float = 0.0,
    **options: Any,
) -> tuple[list[tuple[float, bytes]], int | None]:
    """What a client got, and when, and how it ended; after ``most`` messages it goes."""
    scene = Scene()

    async def send(one: RecordedMessage) -> None:
        scene.note(one.payload)
        scene.now += takes
        if len(scene.seen) == most:
            raise EOFError

    with recorded(*records) as recording:
        replay = Replay(recording, ReplayOptions(**options), clock=scene, sleep=scene.sleep)
        try:
            place = await replay.run(channel, send, start)
        except EOFError:
            place = None
    return scene.seen, place


RECORDS = [message(0, "a"), message(1, "x", channel="calls"), message(2, "b"), message(1, "c"), message(6.5, "d")]
"""The clock stepped back before the last but one."""

TIMES = st.lists(st.floats(0, 2e9), min_size=1)
SPEEDS = st.floats(1e-3, 1e6) | st.just(math.inf)


@given(TIMES, SPEEDS)
def test_no_wait_is_negative_or_longer_than_the_recordings_own(times: list[float], speed: float) -> None:
    pace, now, before = Pace(speed, 0.0), 0.0, times[0]
    for ts in times:
        wait = pace.wait(ts, now)
        assert 0.0 <= wait <= max(0.0, ts - before) / speed + 1e-3
        now, before = now + wait, ts


@pytest.mark.parametrize(
    ("speed", "times"), [(1.0, [0, 2, 2, 7.5]), (10.0, [0, 0.2, 0.2, 0.75]), (0.5, [0, 4, 4, 15]), (math.inf, [0] * 4)]
)
async def test_messages_come_with_the_time_between_them_divided_by_the_speed(speed: float, times: list[float]) -> None:
    seen, place = await played(RECORDS, speed=speed)
    assert seen == list(zip(times, [b"a", b"b", b"c", b"d"], strict=True))
    assert place is None


async def test_each_channel_begins_at_once() -> None:
    assert await played(RECORDS, channel="calls") == ([(0, b"x")], None)


async def test_what_a_client_takes_longer_for_does_not_add_up() -> None:
    assert (await played(RECORDS, takes=0.5))[0] == [(0, b"a"), (2, b"b"), (2.5, b"c"), (7.5, b"d")]


async def test_a_loop_begins_again_after_the_time_that_passes_between_two() -> None:
    seen, _ = await played([message(0, "a"), message(1, "b"), message(4, "c")], loop=True, most=5, speed=2)
    assert seen == [(0, b"a"), (0.5, b"b"), (2, b"c"), (3, b"a"), (3.5, b"b")]


async def test_a_loop_over_one_moment_takes_a_second() -> None:
    seen, _ = await played([message(0, "a"), message(0, "b")], loop=True, most=4)
    assert seen == [(0, b"a"), (0, b"b"), (1, b"a"), (1, b"b")]


async def test_gaps_are_passed_over_and_an_outage_ends_a_replay_where_that_is_wanted() -> None:
    records = [message(0, "a"), gap("paused"), message(1, "b"), gap(), gap(channel="calls"), message(60, "c")]
    assert (await played(records))[0] == [(0, b"a"), (1, b"b"), (60, b"c")]
    seen, place = await played(records, outages=True)
    assert seen == [(0, b"a"), (1, b"b")]
    assert place is not None
    assert await played(records, outages=True, start=place) == ([(0, b"c")], None)


async def test_a_replay_that_went_on_behind_an_outage_loops_from_the_beginning() -> None:
    records = [message(0, "a"), gap(), message(1, "b")]
    _, place = await played(records, outages=True)
    seen, place = await played(records, outages=True, loop=True, start=place or 0)
    assert seen == [(0, b"b"), (1, b"a")]
    assert place is not None


async def test_a_channel_of_gaps_alone_is_silent() -> None:
    assert await played([message(), gap(channel="calls")], channel="calls", loop=True, outages=True) == ([], None)


async def test_others_have_their_turn_while_much_is_read_and_nothing_waited_for() -> None:
    turns = 0

    async def sleep(seconds: float) -> None:
        nonlocal turns
        turns += 1
        await asyncio.sleep(0)

    async def send(one: RecordedMessage) -> None:
        pass

    records = [message(data="x" * 1000, channel=channel) for channel in ["calls"] * 500 + ["news"]]
    with recorded(*records) as recording:
        await Replay(recording, ReplayOptions(math.inf), clock=Scene(), sleep=sleep).run("news", send)
    assert turns >= 7
