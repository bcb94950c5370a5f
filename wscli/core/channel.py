"""A channel's own state, without I/O: closed by its user or by a verdict of its own, or open on its upstream.

An open channel has no state of its own: it shows its upstream's, which says why it is not ready and when it will be
tried again. A channel that is idle, paused, stopped, failed or done by itself shows that, whatever its upstream does
for other channels.
"""

from __future__ import annotations

from dataclasses import replace

from wscli.core import events as e
from wscli.core.endings import reason_code
from wscli.core.failures import Action
from wscli.core.states import SETTLED, ChannelState, Next, Reason, Snapshot
from wscli.core.transitions import CHANNEL_TABLE, OPEN, IllegalTransition

__all__ = ["shown", "step_channel"]

S = ChannelState


def shown(own: Snapshot | None, upstream: Snapshot) -> Snapshot:
    """Give what the channel shows: its own state, or its upstream's.

    An idle channel shows the wait that the server asked for, since its next use has to wait as well; and else why the
    last attempt failed, if it did.
    """
    if own is None or (own.state is S.IDLE and upstream.no_sooner):
        return upstream
    if own.state is S.IDLE and upstream.failure is not None:
        text = f"{own.reason.text}; last attempt: {upstream.failure.text}"
        return replace(own, reason=own.reason._replace(text=text))
    return own


def step_channel(own: Snapshot | None, event: e.ChannelEvent, upstream: Snapshot) -> Snapshot | None:
    """Apply one event, and give the channel's next own state, None where it is open.

    Raises:
        IllegalTransition: the table does not allow it.

    """
    state = OPEN if own is None else own.state
    allowed = CHANNEL_TABLE[state, type(event)]
    after = _apply(own, event, upstream) if allowed != {state} else own
    if (OPEN if after is None else after.state) not in allowed:
        raise IllegalTransition(f"{state or 'open'} -> {after and after.state} on {type(event).__name__}")
    return after


def _apply(own: Snapshot | None, event: e.ChannelEvent, upstream: Snapshot) -> Snapshot | None:
    match event:
        case e.LingerElapsed():
            return None if upstream.state in SETTLED else _idle("not in use")
        case e.PauseRequested():
            if own is None and upstream.state in SETTLED:
                return None
            return Snapshot(S.PAUSED, Reason("by_hand", "paused by hand"), Next("resume"))
        case e.ResumeRequested(wanted=False):
            return _idle("resumed by hand; not in use")
        case e.StopRequested():
            return Snapshot(S.STOPPED, Reason("by_hand", "stopped by hand"), Next("start"))
        case e.VerdictGiven(verdict=verdict, failure=failure):
            state = S.DONE if verdict.action is Action.DONE else S.FAILED
            return Snapshot(state, Reason(reason_code(failure), failure.text), Next("start"), failure=failure)
        case _:
            return None  # a use, a start, a resume: it opens


def _idle(text: str) -> Snapshot:
    return Snapshot(S.IDLE, Reason("unused", text), Next("use"))
