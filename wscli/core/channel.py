"""A channel's own state, without I/O: closed by its user or by a verdict of its own, or open on its upstream.

An open channel shows its upstream's state, which says why it is not ready and when it will be tried again. Only on a
ready upstream it has states of its own: it is being subscribed, or waits after it was refused. A channel that is idle,
paused, stopped, failed or done by itself shows that, whatever its upstream does for other channels.
"""

from __future__ import annotations

from dataclasses import replace

from wscli.core import events as e
from wscli.core.commands import ChannelCommand, ForgetChannelTokens, ForgetKept, ScheduleSubscription
from wscli.core.failures import Action
from wscli.core.moves import Policy, conclude, reason_code
from wscli.core.states import SETTLED, ChannelState, Next, OwnState, Reason, Snapshot
from wscli.core.transitions import CHANNEL_TABLE, OPEN, IllegalTransition
from wscli.core.verdicts import decide, stops_in_a_row

__all__ = ["OwnMove", "shown", "step_channel"]

S = ChannelState

OwnMove = tuple[OwnState, tuple[ChannelCommand, ...]]
"""The next own state, and what to do."""


def shown(own: OwnState, upstream: Snapshot) -> Snapshot:
    """Give what the channel shows: its own state, or its upstream's.

    An idle channel shows the wait that the server asked for, since its next use has to wait as well; and else why the
    last attempt failed, if it did.
    """
    if own.state is None or (own.state is S.IDLE and upstream.no_sooner):
        return upstream
    reason, failure = own.reason, own.failure
    if own.state is S.IDLE and (last := failure or upstream.failure) is not None:
        reason = reason._replace(text=f"{reason.text}; last attempt: {last.text}")
    return Snapshot(own.state, reason, own.next, failure=failure, attempt=own.attempt)


def step_channel(own: OwnState, event: e.ChannelEvent, upstream: Snapshot, policy: Policy) -> OwnMove:
    """Apply one event, and give the channel's next own state and the commands to carry out.

    Raises:
        IllegalTransition: the table does not allow it.

    """
    allowed = CHANNEL_TABLE[own.state, type(event)]
    after, commands = _apply(own, event, upstream, policy)
    if after.state not in allowed:
        raise IllegalTransition(f"{own.state or 'open'} -> {after.state or 'open'} on {type(event).__name__}")
    return after, commands


def _apply(own: OwnState, event: e.ChannelEvent, upstream: Snapshot, policy: Policy) -> OwnMove:
    state = own.state
    match event:
        case e.SubscriptionEnded() if state in (OPEN, S.HANDSHAKING):
            return _judge(own, event, policy)
        case e.SubscriptionProgressed() if state is S.HANDSHAKING:
            return replace(own, reason=Reason("subscribing", event.text)), ()
        case e.SubscriptionDone() if state in (OPEN, S.HANDSHAKING):
            return replace(own, state=OPEN, failure=None), ()
        case e.RetryScheduled(at=at) if state in (S.WAITING, S.FAILED):
            return replace(own, next=Next("retry", at), wait_at=at if state is S.WAITING else None), ()
        case e.RetryDue(wanted=wanted):
            over = replace(own, wait_at=None)
            if state not in (S.WAITING, S.FAILED):
                return over, ()
            return replace(over, state=OPEN) if wanted else _idle(over, "not in use"), ()
        case _:
            stays = CHANNEL_TABLE[state, type(event)] == {state}
            return own if stays else _moved(own, event, upstream), ()


def _moved(own: OwnState, event: e.ChannelEvent, upstream: Snapshot) -> OwnState:
    match event:
        case e.LingerElapsed() | e.PauseRequested() if own.state is OPEN and upstream.state in SETTLED:
            return own
        case e.LingerElapsed():
            return _idle(own, "not in use")
        case e.PauseRequested():
            return OwnState(S.PAUSED, Reason("by_hand", "paused by hand"), Next("resume"))
        case e.ResumeRequested(wanted=False) | e.ReleaseRequested():
            verb = "resumed" if isinstance(event, e.ResumeRequested) else "started"
            return _idle(OwnState(), f"{verb} by hand; not in use")
        case e.StopRequested():
            return OwnState(S.STOPPED, Reason("by_hand", "stopped by hand"), Next("start"))
        case e.SubscriptionBegan():
            reason = Reason("subscribing", "connected; being subscribed")
            return replace(own, state=S.HANDSHAKING, reason=reason, next=Next("none"), attempt=own.attempt + 1)
        case e.UpstreamLost():
            refused = own.attempt - (own.state is S.HANDSHAKING)  # the present one was not
            return replace(own, state=OPEN, attempt=refused, wait_at=None)
        case e.Used() if own.wait_at is not None and own.failure is not None:
            reason = Reason(reason_code(own.failure), own.failure.text)
            return replace(own, state=S.WAITING, reason=reason, next=Next("retry", own.wait_at))
        case e.Used():
            return replace(own, state=OPEN)
        case _:
            return OwnState(OPEN)  # by hand, or by a reload: earlier failures are forgotten


def _judge(own: OwnState, event: e.SubscriptionEnded, policy: Policy) -> OwnMove:
    failure = event.failure
    if event.healthy_for >= policy.backoff.reset_after:
        own = replace(own, attempt=1, refusals=0, reconnected=False, reauthed=False)
    refusals = own.refusals + 1 if stops_in_a_row(failure) else 0
    verdict = event.verdict or decide(
        failure, policy.verdicts, token_used=event.token_used, reauthed=own.reauthed, refusals=refusals
    )
    own = replace(own, failure=failure, refusals=refusals, attempt=max(1, own.attempt), wait_at=None)
    forgets = {Action.REAUTH: (ForgetChannelTokens(),), Action.FRESH: (ForgetKept(),)}.get(verdict.action, ())
    outcome = conclude(verdict, failure, own, event.without_health, policy)
    after = replace(own, state=outcome.state, reason=outcome.reason, next=Next("start"))
    match outcome.state:
        case S.CONNECTING:
            again = replace(own, state=OPEN, reconnected=outcome.reconnected, reauthed=outcome.reauthed)
            return again, forgets
        case S.WAITING:
            return replace(after, next=Next("retry")), (*forgets, ScheduleSubscription(own.attempt, outcome.no_sooner))
        case S.FAILED if outcome.look is not None:
            look = ScheduleSubscription(own.attempt, outcome.look, exactly=True)
            return replace(after, next=Next("retry")), (*forgets, look)
        case _:
            return after, forgets


def _idle(own: OwnState, text: str) -> OwnState:
    return replace(own, state=S.IDLE, reason=Reason("unused", text), next=Next("use"))
