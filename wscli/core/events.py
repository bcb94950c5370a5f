"""What can happen to an upstream and to a channel: frozen facts, the only input of the machines.

Each event of an attempt carries its ``generation``. An event of an attempt that is over is ignored: its generation is
neither the present one nor the successor's. Those of a channel's own waits carry 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from wscli.core.failures import Failure, Verdict

__all__ = [
    "AttemptEnded",
    "AttemptProgressed",
    "ChannelEvent",
    "CloseRequested",
    "FellBack",
    "HandshakeDone",
    "LingerElapsed",
    "NetworkLost",
    "NetworkReturned",
    "Opened",
    "PauseRequested",
    "PongReceived",
    "RedialRequested",
    "ReplaceRequested",
    "ResumeRequested",
    "RetryDue",
    "RetryScheduled",
    "RotationDue",
    "StartRequested",
    "StopRequested",
    "SubscriptionBegan",
    "SubscriptionEnded",
    "SubscriptionProgressed",
    "SubscriptionDone",
    "TaskCrashed",
    "Unused",
    "UpstreamEvent",
    "UpstreamLost",
    "Used",
    "VerdictGiven",
]


@dataclass(frozen=True, slots=True)
class _Bare:
    """An event without facts."""


@dataclass(frozen=True, slots=True)
class _Said:
    """An event with a text for people."""

    text: str


@dataclass(frozen=True, slots=True)
class _OfAttempt:
    """An event of attempt ``generation``."""

    generation: int


@dataclass(frozen=True, slots=True)
class Used:
    """The channel is eager, or has its first reader, sender or request; ``code`` and ``text`` are the reason shown."""

    code: str = "used"
    text: str = "opening: it is wanted"


class StartRequested(_Bare):
    """By hand: open it from whatever state, and forget earlier failures."""


class RedialRequested(_Said):
    """Close the connection and open another: ``restart``, or a ``reload`` that changed how to connect."""


# of a channel alone


class ReleaseRequested(_Bare):
    """By hand: end a stop or a pause and open nothing, since each client opens an upstream of its own."""


class LingerElapsed(_Bare):
    """The lazy channel was not used for its linger."""


class StopRequested(_Bare):
    """By hand: close it until ``start``."""


class PauseRequested(_Bare):
    """By hand: close it until ``resume``."""


@dataclass(frozen=True, slots=True)
class ResumeRequested:
    """By hand: end the pause; ``wanted`` says whether the channel is eager or in use, and so opens again."""

    wanted: bool


class SubscriptionBegan(_Bare):
    """Its upstream is ready, and the channel is being subscribed."""


class SubscriptionProgressed(_Said):
    """A step of its subscription waits now; only the reason that ``status`` shows changes."""


class SubscriptionDone(_Bare):
    """It is subscribed; its health counts from here."""


@dataclass(frozen=True, slots=True)
class SubscriptionEnded:
    """The subscription was refused, or ended while the connection goes on.

    ``verdict`` None: as the declared tables say. The times are those of ``AttemptEnded``, for the subscription.
    ``token_used`` says whether its steps, or the connection, used a token.
    """

    failure: Failure
    verdict: Verdict | None = None
    healthy_for: float = 0.0
    without_health: float = 0.0
    token_used: bool = False


class UpstreamLost(_Bare):
    """Its upstream is not ready any more."""


# of an upstream alone


@dataclass(frozen=True, slots=True)
class VerdictGiven(_OfAttempt):
    """A verdict on attempt ``generation`` that has not ended: from a message, a timer or a step of the session.

    The times are those of ``AttemptEnded``.
    """

    verdict: Verdict
    failure: Failure
    healthy_for: float = 0.0
    without_health: float = 0.0


@dataclass(frozen=True, slots=True)
class Unused:
    """No channel uses the upstream any more; a ready connection has been ready for ``healthy_for`` seconds."""

    healthy_for: float = 0.0


class CloseRequested(_Bare):
    """The last channel was stopped, paused or removed."""


class ReplaceRequested(_Said):
    """Open another connection before the present one closes; where none is ready, do as ``RedialRequested``."""


@dataclass(frozen=True, slots=True)
class AttemptProgressed(_OfAttempt):
    """The attempt began its next step; only the reason that ``status`` shows changes."""

    code: str
    text: str


class Opened(_OfAttempt):
    """The upgrade was answered with 101."""


class HandshakeDone(_OfAttempt):
    """The session is ready; health counts from here."""


@dataclass(frozen=True, slots=True)
class AttemptEnded(_OfAttempt):
    """The attempt failed, or its connection ended.

    ``healthy_for`` is the seconds since it was ready (zero where it never was), ``without_health`` the seconds since
    the upstream was last healthy or was first tried. ``token`` is the newest version of the tokens that the attempt
    used, 0 where it used none. ``sent`` says whether a program's message was sent over the connection.
    """

    failure: Failure
    healthy_for: float = 0.0
    without_health: float = 0.0
    token: int = 0
    sent: bool = False


@dataclass(frozen=True, slots=True)
class FellBack(_OfAttempt):
    """The connection ended while channels moved to it; attempt ``back_to``, which it replaced, carries them still."""

    back_to: int
    failure: Failure


@dataclass(frozen=True, slots=True)
class RetryScheduled(_OfAttempt):
    """The wait was drawn: the next attempt begins in ``delay`` seconds, at wall-clock time ``at``."""

    delay: float
    at: float


@dataclass(frozen=True, slots=True)
class RetryDue(_OfAttempt):
    """The wait is over; ``wanted`` says whether a channel still uses the upstream."""

    wanted: bool = True


@dataclass(frozen=True, slots=True)
class RotationDue(_OfAttempt):
    """The connection, ready for ``healthy_for`` seconds, is due to be replaced."""

    healthy_for: float = 0.0


class PongReceived(_OfAttempt):
    """The server answered a ping: the connection works."""


class NetworkLost(_Bare):
    """No route leads to the server any more."""


@dataclass(frozen=True, slots=True)
class NetworkReturned:
    """A route leads to the server, as before or again; the server may still be unreachable.

    ``moved`` says that the route begins at another address of ours than the open connection.
    """

    moved: bool = False


class TaskCrashed(_Said):
    """A task of the upstream raised an unexpected exception: an error of ours, which is not retried."""


ChannelEvent = (
    Used
    | LingerElapsed
    | StartRequested
    | ReleaseRequested
    | StopRequested
    | PauseRequested
    | ResumeRequested
    | RedialRequested
    | SubscriptionBegan
    | SubscriptionProgressed
    | SubscriptionDone
    | SubscriptionEnded
    | UpstreamLost
    | RetryScheduled
    | RetryDue
)

UpstreamEvent = (
    Used
    | Unused
    | CloseRequested
    | StartRequested
    | RedialRequested
    | ReplaceRequested
    | AttemptProgressed
    | Opened
    | HandshakeDone
    | AttemptEnded
    | FellBack
    | VerdictGiven
    | RetryScheduled
    | RetryDue
    | RotationDue
    | PongReceived
    | NetworkLost
    | NetworkReturned
    | TaskCrashed
)
