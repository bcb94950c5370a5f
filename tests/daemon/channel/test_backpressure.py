"""Back-pressure: moving readers and a slow history hold the server back a little, and never for long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.daemon.scripted import Scripted, closed
from tests.daemon.virtual_time import VirtualTime
from wscli.daemon.channel.backpressure import MOVING, PATIENCE, PAUSE_AT, RESUME_AT, STRETCH, Backpressure


class Upstream:
    def __init__(self) -> None:
        self.time = VirtualTime()
        self.reading = True
        self.steps: list[str] = []
        self.pressure = Backpressure(self.hold, lambda: self.steps.append("overflow"), self.time, self.time.schedule)

    def hold(self, holding: bool) -> None:
        assert holding is self.reading, "told twice of the same"
        self.reading = not holding
        self.steps.append("pause" if holding else "resume")

    def lags(self, reader: str, lag: float, *, moved_ago: float = 0.0) -> None:
        self.pressure.report_lag(reader, lag, self.time.monotonic() - moved_ago)


@pytest.fixture
def upstream() -> Upstream:
    return Upstream()


def test_only_a_lag_of_more_than_half_the_window_pauses(upstream: Upstream) -> None:
    upstream.lags("a", PAUSE_AT)
    assert upstream.reading
    upstream.lags("a", PAUSE_AT + 0.01)
    assert not upstream.reading
    assert upstream.pressure.holding


def test_reading_resumes_once_the_last_laggard_is_down_to_a_quarter(upstream: Upstream) -> None:
    upstream.lags("a", 0.9)
    upstream.lags("b", 0.9)
    upstream.lags("a", RESUME_AT)
    upstream.lags("b", RESUME_AT + 0.01)
    assert not upstream.reading
    upstream.lags("b", RESUME_AT)
    assert upstream.reading
    assert not upstream.time.pending


async def test_a_pause_ends_after_its_stretch_and_the_next_begins_with_the_next_report(upstream: Upstream) -> None:
    upstream.lags("a", 0.9)
    await upstream.time.advance(STRETCH - 0.01)
    assert not upstream.reading
    await upstream.time.advance(0.02)
    assert upstream.reading
    upstream.lags("a", 0.9)
    assert upstream.steps == ["pause", "resume", "pause"]


def test_a_reader_that_took_nothing_for_a_second_never_pauses(upstream: Upstream) -> None:
    upstream.lags("a", 5.0, moved_ago=MOVING)
    upstream.lags("never moved", 5.0, moved_ago=float("inf"))
    assert upstream.reading
    upstream.lags("b", 0.9)
    upstream.lags("b", 0.9, moved_ago=MOVING)
    assert upstream.reading


def test_a_reset_ends_every_pause_once(upstream: Upstream) -> None:
    upstream.lags("a", 0.9)
    upstream.pressure.report_history(True)
    upstream.pressure.reset()
    upstream.pressure.reset()
    assert upstream.steps == ["pause", "resume"]
    assert not upstream.time.pending


async def test_a_full_history_pauses_until_it_has_drained(upstream: Upstream) -> None:
    upstream.pressure.report_history(True)
    await upstream.time.advance(PATIENCE - 0.01)
    upstream.pressure.report_history(True)
    assert upstream.steps == ["pause"]
    upstream.pressure.report_history(False)
    assert upstream.steps == ["pause", "resume"]


async def test_a_history_full_for_a_second_stops_persisting_and_reading_resumes(upstream: Upstream) -> None:
    upstream.pressure.report_history(True)
    await upstream.time.advance(PATIENCE)
    assert upstream.steps == ["pause", "overflow", "resume"]


async def test_reading_stays_paused_while_either_cause_remains(upstream: Upstream) -> None:
    upstream.lags("a", 0.9)
    upstream.pressure.report_history(True)
    await upstream.time.advance(STRETCH)
    assert not upstream.reading
    upstream.pressure.report_history(False)
    assert upstream.steps == ["pause", "resume"]


async def test_reading_is_paused_and_resumed_on_the_open_link_only(it: Scripted) -> None:
    channel, link = it.channel, it.server.link
    reader = object()
    channel.backpressure.report_lag(reader, 0.9, it.time.now)
    assert not link.reading
    await it.time.advance(0.26)
    assert link.reading
    channel.backpressure.report_lag(reader, 0.9, it.time.now)
    link.end(closed(1006))
    await it.time.advance(2)
    assert it.server.link.reading


reports = st.tuples(st.sampled_from("abc"), st.sampled_from([0.0, 0.3, 0.6, 2.0]), st.sampled_from([0.0, 0.9, 1.1]))


@given(st.lists(st.one_of(reports, st.sampled_from(["reset", "ring"]), st.sampled_from("abc"), st.booleans())))
def test_pauses_and_resumes_alternate_whatever_is_reported(steps: list[object]) -> None:
    upstream = Upstream()
    for step in steps:
        if isinstance(step, tuple):
            upstream.lags(step[0], step[1], moved_ago=step[2])
        elif isinstance(step, bool):
            upstream.pressure.report_history(step)
        elif step == "reset":
            upstream.pressure.reset()
        elif step == "ring":
            for timer in upstream.time.pending[:1]:
                timer.cancelled = True
                timer.callback()
        else:
            upstream.pressure.forget_reader(step)
        assert upstream.reading is not upstream.pressure.holding
        assert bool(upstream.time.pending) is not upstream.reading
