"""A channel's own state: which event closes it, what opens it again, and what it shows meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wscli.core import events as e
from wscli.core.backoff import BackoffPolicy, GiveUpAttempts, LookAgain
from wscli.core.channel import shown, step_channel
from wscli.core.commands import ForgetChannelTokens, ForgetKept, ScheduleSubscription
from wscli.core.failures import Action, Failure, FailureKind, Verdict
from wscli.core.moves import Policy
from wscli.core.states import ChannelState, Next, OwnState, Reason, Snapshot
from wscli.core.transitions import CHANNEL_TABLE, OPEN

S = ChannelState
READY = replace(Snapshot(), state=S.READY)
FAILED = replace(Snapshot(), state=S.FAILED)
REFUSED = Failure(FailureKind.SESSION, "no such room", moment="subscribe")
STOPPED = OwnState(S.STOPPED, Reason("by_hand", "stopped by hand"), Next("start"))
PAUSED = OwnState(S.PAUSED, Reason("by_hand", "paused by hand"), Next("resume"))
OPENED = OwnState(OPEN)
SUBSCRIBING = OwnState(S.HANDSHAKING, attempt=1)
WAITING = OwnState(S.WAITING, failure=REFUSED, attempt=1, wait_at=100.0)
POLICY = Policy(BackoffPolicy(), look_again=LookAgain(60.0, declared=True))


def ended(action: str, **more: object) -> e.SubscriptionEnded:
    return replace(e.SubscriptionEnded(REFUSED, Verdict(Action(action))), **more)


EVENTS: list[e.ChannelEvent] = [
    e.Used(), e.LingerElapsed(), e.StartRequested(), e.ReleaseRequested(), e.StopRequested(), e.PauseRequested(),
    e.ResumeRequested(True), e.ResumeRequested(False), e.RedialRequested("x"), e.SubscriptionBegan(),
    e.SubscriptionProgressed("x"),
    e.SubscriptionDone(), e.UpstreamLost(), e.RetryScheduled(0, 1.0, 100.0), e.RetryDue(0), e.RetryDue(0, wanted=False),
    *(ended(action) for action in Action), e.SubscriptionEnded(REFUSED),
]  # fmt: skip


def step(own: OwnState, event: e.ChannelEvent, upstream: Snapshot = READY, policy: Policy = POLICY) -> OwnState:
    return step_channel(own, event, upstream, policy)[0]


def test_the_table_is_what_a_channel_does() -> None:
    happened: dict[tuple[ChannelState | None, type[e.ChannelEvent]], set[ChannelState | None]] = {}
    for before in {state for state, _ in CHANNEL_TABLE}:
        for event in EVENTS:
            for upstream in (READY, FAILED):
                for own in (OwnState(before), replace(WAITING, state=before)):
                    after = step(own, event, upstream).state
                    happened.setdefault((before, type(event)), set()).add(after)
    assert happened == CHANNEL_TABLE


@pytest.mark.parametrize("event", [e.Used(), e.PauseRequested(), e.ResumeRequested(True), e.RedialRequested("reload")])
def test_stopped_survives_use_pause_resume_and_reload(event: e.ChannelEvent) -> None:
    assert step(STOPPED, event) is STOPPED
    assert step(STOPPED, e.StartRequested()) == OPENED


@pytest.mark.parametrize(("wanted", "state"), [(True, OPEN), (False, S.IDLE)])
def test_resume_opens_what_is_wanted(wanted: bool, state: ChannelState | None) -> None:
    assert step(PAUSED, e.ResumeRequested(wanted)).state is state


def test_a_verdict_of_its_own_names_its_reason_and_what_opens_it_again() -> None:
    own = step(SUBSCRIBING, ended("stop"), policy=Policy(BackoffPolicy()))
    assert (own.state, own.reason, own.next.action) == (S.FAILED, ("session:subscribe", "no such room"), "start")
    assert own.failure is REFUSED


def test_a_refusal_draws_a_wait_of_the_channels_own_and_counts_until_it_was_healthy() -> None:
    own, decided = step_channel(SUBSCRIBING, ended("retry"), READY, POLICY)
    assert (own.state, decided) == (S.WAITING, (ScheduleSubscription(1, 0.0),))
    own = step(own, e.RetryScheduled(0, 1.0, 100.0))
    assert (own.next, own.wait_at) == (Next("retry", 100.0), 100.0)
    own = step(step(own, e.RetryDue(0)), e.SubscriptionBegan())
    assert (own.state, own.attempt, own.wait_at) == (S.HANDSHAKING, 2, None)
    own, decided = step_channel(own, ended("retry", healthy_for=10.0), READY, POLICY)
    assert decided == (ScheduleSubscription(1, 0.0),)


def test_a_wait_that_the_verdict_or_the_server_asks_for_is_waited_out() -> None:
    slow = replace(REFUSED, retry_after=7.0)
    for event, seconds in (
        (e.SubscriptionEnded(slow), 7.0),
        (e.SubscriptionEnded(REFUSED, Verdict(Action.RETRY, 9.0)), 9.0),
    ):
        assert step_channel(SUBSCRIBING, event, READY, POLICY)[1] == (ScheduleSubscription(1, seconds),)


@pytest.mark.parametrize("action", ["reconnect", "replace", "fresh", "reauth"])
def test_what_is_tried_again_at_once_is_so_once_until_health(action: str) -> None:
    own = step(SUBSCRIBING, ended(action))
    assert own.state is OPEN
    assert step(own, ended(action)).state is S.WAITING
    assert step(own, ended(action, healthy_for=10.0)).state is OPEN


def test_reauth_and_fresh_forget_what_is_the_channels() -> None:
    assert step_channel(SUBSCRIBING, ended("reauth"), READY, POLICY)[1] == (ForgetChannelTokens(),)
    assert step_channel(SUBSCRIBING, ended("fresh"), READY, POLICY)[1] == (ForgetKept(),)


def test_it_gives_up_as_its_backoff_says_and_looks_again() -> None:
    policy = POLICY._replace(backoff=BackoffPolicy(give_up=GiveUpAttempts(attempts=1)))
    own, decided = step_channel(SUBSCRIBING, ended("retry"), READY, policy)
    assert (own.state, own.reason.code) == (S.FAILED, "gave_up")
    assert decided == (ScheduleSubscription(1, 60.0, exactly=True),)
    assert step(own, e.RetryDue(0)).state is OPEN
    assert step(own, e.RetryDue(0, wanted=False)).state is S.IDLE


def test_a_built_in_stop_needs_three_refusals_in_a_row() -> None:
    own, unauthorized = SUBSCRIBING, e.SubscriptionEnded(Failure(FailureKind.STATUS, "HTTP 401", code=401))
    states = []
    for _ in range(3):
        own = step(replace(own, state=S.HANDSHAKING), unauthorized)
        states.append(own.state)
    assert states == [S.WAITING, S.WAITING, S.FAILED]


@pytest.mark.parametrize("own", [SUBSCRIBING, WAITING])
def test_while_its_upstream_is_lost_it_mirrors_that_and_waits_for_nothing_of_its_own(own: OwnState) -> None:
    lost = step(own, e.UpstreamLost(), replace(Snapshot(), state=S.WAITING))
    assert (lost.state, lost.wait_at) == (OPEN, None)
    assert lost.attempt == own.attempt - (own is SUBSCRIBING), "the present one was not refused"


def test_a_wait_outlives_the_use_of_a_lazy_channel() -> None:
    idle = step(WAITING, e.LingerElapsed())
    assert (idle.state, idle.wait_at) == (S.IDLE, 100.0)
    assert step(idle, e.Used()).state is S.WAITING
    assert step(idle, e.Used()).next == Next("retry", 100.0)
    assert step(step(idle, e.RetryDue(0, wanted=False)), e.Used()).state is OPEN


@pytest.mark.parametrize("state", [S.CONNECTING, S.WAITING, S.OFFLINE, S.FAILED, S.READY])
def test_an_open_channel_shows_the_state_of_its_upstream(state: ChannelState) -> None:
    upstream = replace(Snapshot(), state=state)
    assert shown(OPENED, upstream) is upstream
    assert shown(PAUSED, upstream) == Snapshot(S.PAUSED, PAUSED.reason, PAUSED.next)


def test_an_idle_channel_shows_the_wait_that_its_next_use_has_to_wait_out() -> None:
    waiting = replace(Snapshot(), state=S.WAITING, no_sooner=True)
    assert shown(OwnState(), waiting) is waiting
    assert shown(OwnState(), replace(waiting, no_sooner=False)).state is S.IDLE


def test_an_idle_channel_says_why_its_last_attempt_failed() -> None:
    idle = step(OPENED, e.LingerElapsed())
    failed = replace(Snapshot(), state=S.WAITING, failure=REFUSED)
    assert shown(idle, failed).reason == ("unused", "not in use; last attempt: no such room")
    assert shown(idle, READY).reason == ("unused", "not in use")
