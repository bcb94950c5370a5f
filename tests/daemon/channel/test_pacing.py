"""Pacing: moving readers hold the server back a little, others not at all, and nobody for long."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.daemon.virtual_time import VirtualTime
from wscli.daemon.channel.pacing import MOVING, PAUSE_AT, RESUME_AT, STRETCH, Pacer


class Upstream:
    def __init__(self):
        self.time = VirtualTime()
        self.reading = True
        self.steps = []
        self.pacer = Pacer(self.pause, self.resume, self.time, self.time.schedule)

    def pause(self):
        assert self.reading, "paused twice"
        self.reading = False
        self.steps.append("pause")

    def resume(self):
        assert not self.reading, "resumed without a pause"
        self.reading = True
        self.steps.append("resume")

    def lags(self, reader, lag, *, moved_ago=0.0):
        self.pacer.report(reader, lag, self.time.monotonic() - moved_ago)


@pytest.fixture
def upstream():
    return Upstream()


def test_a_lag_of_half_the_window_is_no_reason_and_more_is(upstream):
    upstream.lags("a", PAUSE_AT)
    assert upstream.reading
    upstream.lags("a", PAUSE_AT + 0.01)
    assert not upstream.reading
    assert upstream.pacer.pausing


def test_reading_goes_on_once_the_last_laggard_is_down_to_a_quarter(upstream):
    upstream.lags("a", 0.9)
    upstream.lags("b", 0.9)
    upstream.lags("a", RESUME_AT)
    assert not upstream.reading
    upstream.lags("b", RESUME_AT + 0.01)
    assert not upstream.reading
    upstream.lags("b", RESUME_AT)
    assert upstream.reading
    assert not upstream.time.pending


async def test_a_pause_ends_after_its_stretch_and_the_next_begins_with_the_next_word(upstream):
    upstream.lags("a", 0.9)
    await upstream.time.advance(STRETCH - 0.01)
    assert not upstream.reading
    await upstream.time.advance(0.02)
    assert upstream.reading
    upstream.lags("a", 0.9)
    assert upstream.steps == ["pause", "resume", "pause"]


def test_one_that_took_nothing_for_a_second_paces_nobody(upstream):
    upstream.lags("a", 5.0, moved_ago=MOVING)
    assert upstream.reading
    upstream.lags("b", 0.9)
    upstream.lags("b", 0.9, moved_ago=MOVING)
    assert upstream.reading


def test_one_that_never_took_anything_paces_nobody(upstream):
    upstream.pacer.report("a", 5.0, float("-inf"))
    assert upstream.reading


def test_one_that_leaves_ends_the_pause(upstream):
    upstream.lags("a", 0.9)
    upstream.pacer.forget("a")
    upstream.pacer.forget("a")
    assert upstream.steps == ["pause", "resume"]


def test_closing_ends_the_pause_once(upstream):
    upstream.lags("a", 0.9)
    upstream.pacer.close()
    upstream.pacer.close()
    assert upstream.steps == ["pause", "resume"]
    assert not upstream.time.pending


words = st.tuples(st.sampled_from("abc"), st.sampled_from([0.0, 0.3, 0.6, 2.0]), st.sampled_from([0.0, 0.9, 1.1]))


@given(st.lists(st.one_of(words, st.sampled_from(["close", "ring"]), st.sampled_from("abc"))))
def test_pauses_and_resumes_alternate_whatever_is_reported(steps):
    upstream = Upstream()
    for step in steps:
        if isinstance(step, tuple):
            reader, lag, ago = step
            upstream.lags(reader, lag, moved_ago=ago)
        elif step == "close":
            upstream.pacer.close()
        elif step == "ring":
            for timer in upstream.time.pending[:1]:
                timer.cancelled = True
                timer.callback()
        else:
            upstream.pacer.forget(step)
        assert upstream.reading is not upstream.pacer.pausing
        assert len(upstream.time.pending) == (not upstream.reading)
