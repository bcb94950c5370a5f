"""What can happen to a channel: frozen facts, the only input of the machine.

Each event of an attempt carries its ``generation``; the machine ignores those of an attempt that is over, being
neither the present one nor its successor.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "AttemptEnded",
    "AttemptProgressed",
    "Event",
    "Failure",
    "FailureKind",
    "HandshakeDone",
    "LingerElapsed",
    "NetworkLost",
    "NetworkReturned",
    "Opened",
    "PauseRequested",
    "RedialRequested",
    "ReplaceRequested",
    "ResumeRequested",
    "RetryDue",
    "RetryScheduled",
    "RotationDue",
    "StartRequested",
    "StopRequested",
    "TaskCrashed",
    "Used",
]


class FailureKind(StrEnum):
    """Where an attempt or a connection ended; the values appear as reason codes in ``status --json``."""

    DNS = "dns"
    TCP = "tcp"
    PROXY = "proxy"
    TLS = "tls"
    CERTIFICATE = "certificate"
    STATUS = "status"
    """The upgrade was answered with another HTTP status than 101; ``code`` holds it."""
    UPGRADE = "upgrade"
    """What came was no upgrade: not HTTP, a wrong Sec-WebSocket-Accept, a subprotocol that nobody offered."""
    TIMEOUT = "timeout"
    """The deadline of the attempt passed."""
    TOKEN = "token"  # noqa: S105 - the name of a failure, no password
    """A token could not be had."""
    CLOSE = "close"
    """The connection ended; ``code`` holds the close code, 1006 where no close frame came (RFC 6455, 7.1.5)."""
    KEEPALIVE = "keepalive"
    """No pong came in time."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt failed or a connection ended.

    ``text`` is one line for a person, made by us, without secrets; remote text in it is escaped by whoever prints it.
    ``code`` is an HTTP status or a close code. ``retry_after`` is in seconds. ``location`` is a redirect's target,
    which may hold secrets and is never shown. ``by`` says who closed: ``peer``, ``us`` or ``none``.
    """

    kind: FailureKind
    text: str
    code: int | None = None
    retry_after: float | None = None
    location: str | None = None
    by: str = "none"
    close_reason: str = ""


@dataclass(frozen=True, slots=True)
class Used:
    """A first reader, sender or request wants the channel, or it is eager."""


@dataclass(frozen=True, slots=True)
class LingerElapsed:
    """Nobody has used the lazy channel for its linger."""


@dataclass(frozen=True, slots=True)
class StartRequested:
    """By hand: open it, whatever held it, forgetting earlier failures."""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """By hand: close it until ``start``."""


@dataclass(frozen=True, slots=True)
class PauseRequested:
    """By hand: hold it until ``resume``."""


@dataclass(frozen=True, slots=True)
class ResumeRequested:
    """By hand: end the pause. ``wanted`` says whether it is eager or in use, and so opens again."""

    wanted: bool


@dataclass(frozen=True, slots=True)
class RedialRequested:
    """Close the connection and open another: ``restart``, or a ``reload`` that changed how to connect."""

    text: str


@dataclass(frozen=True, slots=True)
class ReplaceRequested:
    """Have another connection ready before the present one closes; where none is ready, as ``RedialRequested``."""

    text: str


@dataclass(frozen=True, slots=True)
class AttemptProgressed:
    """The attempt reached another step; only the reason that ``status`` shows changes."""

    generation: int
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Opened:
    """The upgrade was answered with 101."""

    generation: int


@dataclass(frozen=True, slots=True)
class HandshakeDone:
    """The session is subscribed and answered."""

    generation: int


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """The attempt failed, or its connection ended.

    ``healthy_for`` is how many seconds it was ready (zero where it never was), ``without_health`` how many have passed
    since the channel was last healthy or was first tried. ``token_used`` says whether a token went into it, which is
    what makes ``reauth`` sensible.
    """

    generation: int
    failure: Failure
    healthy_for: float = 0.0
    without_health: float = 0.0
    token_used: bool = False


@dataclass(frozen=True, slots=True)
class RetryScheduled:
    """The wait was drawn: the next attempt begins in ``delay`` seconds, at wall-clock time ``at``."""

    generation: int
    delay: float
    at: float


@dataclass(frozen=True, slots=True)
class RetryDue:
    """The wait is over. ``wanted`` says whether anybody still wants the connection, and so it is dialled."""

    generation: int
    wanted: bool = True


@dataclass(frozen=True, slots=True)
class RotationDue:
    """The ready connection, now ready for ``healthy_for`` seconds, is to be replaced without being closed first."""

    generation: int
    healthy_for: float = 0.0


@dataclass(frozen=True, slots=True)
class NetworkLost:
    """No route leads to the channel's destination any more."""


@dataclass(frozen=True, slots=True)
class NetworkReturned:
    """A route leads to it again: a hint to try, no promise."""


@dataclass(frozen=True, slots=True)
class TaskCrashed:
    """A task of the channel raised something that nobody foresaw: ours to mend, stated instead of retried."""

    text: str


Event = (
    Used
    | LingerElapsed
    | StartRequested
    | StopRequested
    | PauseRequested
    | ResumeRequested
    | RedialRequested
    | ReplaceRequested
    | AttemptProgressed
    | Opened
    | HandshakeDone
    | AttemptEnded
    | RetryScheduled
    | RetryDue
    | RotationDue
    | NetworkLost
    | NetworkReturned
    | TaskCrashed
)
