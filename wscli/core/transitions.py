"""Which event may lead from which state to which: everything that affects it stands in this file.

Both tables map (state, event) to the states that may follow, the same one included. The machines raise
``IllegalTransition`` for any other event or outcome. ``docs/states.md`` is generated from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, get_args

from wscli.core import events as e
from wscli.core.states import ChannelState

__all__ = ["CHANNEL_TABLE", "OPEN", "UPSTREAM_TABLE", "IllegalTransition"]

S = ChannelState


class IllegalTransition(RuntimeError):
    """An event that the table does not allow: an error of ours, never of a user."""


Row = Mapping[type[e.UpstreamEvent], set[ChannelState]]

_ENDED = {S.CONNECTING, S.WAITING, S.FAILED, S.DONE}

_REDIALLED: Row = {e.RedialRequested: {S.CONNECTING}, e.ReplaceRequested: {S.CONNECTING}}

_STARTED: Row = {e.StartRequested: {S.CONNECTING}, **_REDIALLED}

_CLOSED: Row = {e.Unused: {S.IDLE}, e.CloseRequested: {S.IDLE}, e.TaskCrashed: {S.FAILED}}

_OPENING: Row = {e.AttemptEnded: _ENDED, e.VerdictGiven: _ENDED, **_REDIALLED, **_CLOSED, e.NetworkLost: {S.OFFLINE}}

_ROWS: dict[ChannelState, Row] = {
    S.IDLE: {e.Used: {S.CONNECTING}, e.StartRequested: {S.CONNECTING}, e.TaskCrashed: {S.FAILED}},
    S.CONNECTING: {
        e.AttemptProgressed: {S.CONNECTING},
        e.Opened: {S.HANDSHAKING},
        **_OPENING,
        e.Unused: {S.IDLE, S.WAITING},  # waiting: the dial has begun, and the next one must not come sooner
    },
    S.HANDSHAKING: {e.AttemptProgressed: {S.HANDSHAKING}, e.HandshakeDone: {S.READY}, **_OPENING},
    S.READY: {
        e.AttemptEnded: {*_ENDED, S.HANDSHAKING},  # handshaking: its successor takes its place
        e.FellBack: {S.READY},
        e.VerdictGiven: {*_ENDED, S.HANDSHAKING, S.READY},  # ready: replace
        e.RotationDue: {S.READY},
        e.PongReceived: {S.READY},
        e.RedialRequested: {S.CONNECTING},
        e.ReplaceRequested: {S.READY},
        **_CLOSED,
    },
    S.WAITING: {
        e.RetryScheduled: {S.WAITING},
        e.RetryDue: {S.CONNECTING, S.IDLE},
        **_STARTED,
        **_CLOSED,
        e.Unused: {S.WAITING},  # the next use must not dial sooner
        e.NetworkLost: {S.OFFLINE, S.WAITING},
        e.NetworkReturned: {S.CONNECTING, S.WAITING},
        e.AttemptEnded: {S.WAITING},
        e.VerdictGiven: {S.WAITING},
    },
    S.OFFLINE: {**_STARTED, e.NetworkReturned: {S.CONNECTING}, **_CLOSED},
    S.FAILED: {
        e.RetryScheduled: {S.FAILED},
        e.RetryDue: {S.CONNECTING, S.IDLE},  # look_again
        **_STARTED,
        e.CloseRequested: {S.IDLE},
        e.AttemptEnded: {S.FAILED},
        e.VerdictGiven: {S.FAILED},
    },
    S.DONE: {
        **_STARTED,
        e.CloseRequested: {S.IDLE},
        e.AttemptEnded: {S.DONE},
        e.VerdictGiven: {S.DONE},
        e.TaskCrashed: {S.FAILED},
    },
}

_ALWAYS = (
    e.Used, e.Unused, e.CloseRequested, e.StartRequested, e.RedialRequested, e.ReplaceRequested, e.NetworkLost,
    e.NetworkReturned, e.TaskCrashed,
)  # fmt: skip
"""Events that are allowed in every state; a state whose row does not name them stays as it is."""

UPSTREAM_TABLE: Mapping[tuple[ChannelState, type[e.UpstreamEvent]], frozenset[ChannelState]] = {
    (state, event): frozenset(row.get(event, {state})) for state, row in _ROWS.items() for event in (*row, *_ALWAYS)
}

OPEN: Final = None
"""The channel is open: it shows its upstream's state, and is subscribed where that is ready."""

_LEFT: dict[type[e.ChannelEvent], set[ChannelState | None]] = {
    e.PauseRequested: {S.PAUSED},
    e.StopRequested: {S.STOPPED},
}
_REFUSED = {OPEN, S.WAITING, S.FAILED, S.DONE}
_OPENED_AGAIN: dict[type[e.ChannelEvent], set[ChannelState | None]] = {
    e.StartRequested: {OPEN},
    e.RedialRequested: {OPEN},
}

_OWN: dict[ChannelState | None, Mapping[type[e.ChannelEvent], set[ChannelState | None]]] = {
    OPEN: {
        **_LEFT,
        e.PauseRequested: {S.PAUSED, OPEN},  # open: its upstream is failed or done
        e.LingerElapsed: {S.IDLE, OPEN},  # likewise
        e.SubscriptionBegan: {S.HANDSHAKING},
        e.SubscriptionEnded: _REFUSED,  # open: subscribed anew at once
    },
    S.HANDSHAKING: {
        **_LEFT,
        e.LingerElapsed: {S.IDLE},
        e.SubscriptionDone: {OPEN},
        e.SubscriptionEnded: _REFUSED,
        e.UpstreamLost: {OPEN},
    },
    S.WAITING: {
        **_LEFT,
        **_OPENED_AGAIN,
        e.LingerElapsed: {S.IDLE},
        e.UpstreamLost: {OPEN},
        e.RetryDue: {OPEN, S.IDLE},
    },
    S.IDLE: {**_LEFT, e.Used: {OPEN, S.WAITING}, e.StartRequested: {OPEN}},
    S.PAUSED: {
        e.ResumeRequested: {OPEN, S.IDLE},
        e.StartRequested: {OPEN},
        e.ReleaseRequested: {S.IDLE},
        e.StopRequested: {S.STOPPED},
    },
    S.STOPPED: {e.StartRequested: {OPEN}, e.ReleaseRequested: {S.IDLE}},
    S.FAILED: {**_OPENED_AGAIN, e.StopRequested: {S.STOPPED}, e.RetryDue: {OPEN, S.IDLE}},  # due: look_again
    S.DONE: {**_OPENED_AGAIN, e.StopRequested: {S.STOPPED}},
}

CHANNEL_TABLE: Mapping[tuple[ChannelState | None, type[e.ChannelEvent]], frozenset[ChannelState | None]] = {
    (state, event): frozenset(row.get(event, {state}))
    for state, row in _OWN.items()
    for event in get_args(e.ChannelEvent)
}
