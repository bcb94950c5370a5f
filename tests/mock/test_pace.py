"""When messages are due."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wscli.mock.pace import Pace

TIMES = st.lists(st.floats(0, 2e9), min_size=1)
SPEEDS = st.floats(1e-3, 1e6) | st.just(math.inf)


@given(TIMES, SPEEDS)
def test_no_wait_is_negative_or_longer_than_the_recordings_own(times: list[float], speed: float) -> None:
    pace, now, before = Pace(speed, 0.0), 0.0, times[0]
    for ts in times:
        wait = pace.wait(ts, now)
        assert 0.0 <= wait <= max(0.0, ts - before) / speed + 1e-3
        now, before = now + wait, ts


@pytest.mark.parametrize(("speed", "waits"), [(1.0, [0, 2, 0, 0, 4]), (10.0, [0, 0.2, 0, 0, 0.4]), (math.inf, [0] * 5)])
def test_the_time_between_two_is_divided_by_the_speed_and_a_step_back_is_none(speed: float, waits: list[float]) -> None:
    pace, now, seen = Pace(speed, 50.0), 50.0, []
    for ts in (100.0, 102.0, 102.0, 90.0, 94.0):
        seen.append(pace.wait(ts, now))
        now += seen[-1]
    assert seen == pytest.approx(waits)


def test_what_a_slow_client_takes_is_made_up_for() -> None:
    pace = Pace(1.0, 0.0)
    assert pace.wait(100.0, 0.0) == 0.0
    assert pace.wait(101.0, 3.0) == 0.0
    assert pace.wait(105.0, 3.0) == 2.0


def test_beginning_again_waits_for_the_pause_and_no_longer() -> None:
    pace = Pace(2.0, 0.0)
    pace.wait(100.0, 0.0)
    assert pace.wait(104.0, 0.0) == 2.0
    assert pace.again(1.0, 2.0) == 0.5
    assert pace.wait(100.0, 2.5) == 0.0
    assert pace.wait(104.0, 2.5) == 2.0
