"""A channel's own state: which event closes it, what opens it again, and what it shows meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wscli.core import events as e
from wscli.core.channel import shown, step_channel
from wscli.core.failures import Action, Failure, FailureKind, Verdict
from wscli.core.states import ChannelState, Next, Reason, Snapshot
from wscli.core.transitions import CHANNEL_TABLE, OPEN

S = ChannelState
READY = replace(Snapshot(), state=S.READY)
FAILED = replace(Snapshot(), state=S.FAILED)
REFUSED = Failure(FailureKind.CLOSE, "no such room", code=4404)
STOPPED = Snapshot(S.STOPPED, Reason("by_hand", "stopped by hand"), Next("start"))
PAUSED = Snapshot(S.PAUSED, Reason("by_hand", "paused by hand"), Next("resume"))

EVENTS: list[e.ChannelEvent] = [
    e.Used(), e.LingerElapsed(), e.StartRequested(), e.StopRequested(), e.PauseRequested(), e.ResumeRequested(True),
    e.ResumeRequested(False), e.RedialRequested("x"), e.VerdictGiven(1, Verdict(Action.STOP), REFUSED),
    e.VerdictGiven(1, Verdict(Action.DONE), REFUSED),
]  # fmt: skip


def state_of(own: Snapshot | None) -> ChannelState | None:
    return OPEN if own is None else own.state


def test_the_table_is_what_a_channel_does() -> None:
    happened: dict[tuple[ChannelState | None, type[e.ChannelEvent]], set[ChannelState | None]] = {}
    for before in {state for state, _ in CHANNEL_TABLE}:
        own = None if before is None else replace(Snapshot(), state=before)
        for event in EVENTS:
            for upstream in (READY, FAILED):
                after = state_of(step_channel(own, event, upstream))
                happened.setdefault((before, type(event)), set()).add(after)
    assert happened == CHANNEL_TABLE


@pytest.mark.parametrize("event", [e.Used(), e.PauseRequested(), e.ResumeRequested(True), e.RedialRequested("reload")])
def test_stopped_survives_use_pause_resume_and_reload(event: e.ChannelEvent) -> None:
    assert step_channel(STOPPED, event, READY) is STOPPED
    assert step_channel(STOPPED, e.StartRequested(), READY) is None


@pytest.mark.parametrize(("wanted", "state"), [(True, OPEN), (False, S.IDLE)])
def test_resume_opens_what_is_wanted(wanted: bool, state: ChannelState | None) -> None:
    assert state_of(step_channel(PAUSED, e.ResumeRequested(wanted), READY)) is state


def test_a_verdict_of_its_own_names_its_reason_and_what_opens_it_again() -> None:
    own = step_channel(None, e.VerdictGiven(1, Verdict(Action.STOP), REFUSED), READY)
    assert own is not None
    assert (own.state, own.reason, own.next.action) == (S.FAILED, ("close:4404", "no such room"), "start")
    assert own.failure is REFUSED


@pytest.mark.parametrize("state", [S.CONNECTING, S.WAITING, S.OFFLINE, S.FAILED, S.READY])
def test_an_open_channel_shows_the_state_of_its_upstream(state: ChannelState) -> None:
    upstream = replace(Snapshot(), state=state)
    assert shown(None, upstream) is upstream
    assert shown(PAUSED, upstream) is PAUSED


def test_an_idle_channel_shows_the_wait_that_its_next_use_has_to_wait_out() -> None:
    waiting = replace(Snapshot(), state=S.WAITING, no_sooner=True)
    assert shown(Snapshot(), waiting) is waiting
    assert shown(Snapshot(), replace(waiting, no_sooner=False)).state is S.IDLE


def test_an_idle_channel_says_why_its_last_attempt_failed() -> None:
    idle = step_channel(None, e.LingerElapsed(), READY)
    failed = replace(Snapshot(), state=S.WAITING, failure=REFUSED)
    assert shown(idle, failed).reason == ("unused", "not in use; last attempt: no such room")
    assert shown(idle, READY).reason == ("unused", "not in use")
