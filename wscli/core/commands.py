"""What the upstream's machine wants done: its only output beside the next snapshot.

Each command carries the ``generation`` of the attempt that it concerns.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "UpstreamCommand",
    "DialNext",
    "DialSuccessor",
    "ForgetSession",
    "ForgetTokens",
    "Hangup",
    "Probe",
    "ScheduleRetry",
    "ScheduleRotation",
    "Succeed",
]


@dataclass(frozen=True, slots=True)
class DialNext:
    """Start attempt ``generation`` as soon as the connection before it is closed."""

    generation: int


@dataclass(frozen=True, slots=True)
class Hangup:
    """Close the connection that attempt ``generation`` opened, or cancel its dial."""

    generation: int


@dataclass(frozen=True, slots=True)
class ScheduleRetry:
    """Draw a wait for ``attempt``, at least ``no_sooner`` seconds, and report it as ``RetryScheduled``."""

    generation: int
    attempt: int
    no_sooner: float


@dataclass(frozen=True, slots=True)
class ForgetTokens:
    """Invalidate exactly the tokens that attempt ``generation`` used."""

    generation: int


@dataclass(frozen=True, slots=True)
class ForgetSession:
    """Forget what the session of attempt ``generation`` could be resumed with."""

    generation: int


@dataclass(frozen=True, slots=True)
class Probe:
    """Ping the open connection at once: the network changed."""

    generation: int


@dataclass(frozen=True, slots=True)
class DialSuccessor:
    """Start attempt ``generation`` beside the ready connection."""

    generation: int


@dataclass(frozen=True, slots=True)
class Succeed:
    """Put successor ``generation`` in the place of the present connection.

    The present one, if open, gets no more sends and is closed; its messages are received until then.
    """

    generation: int


@dataclass(frozen=True, slots=True)
class ScheduleRotation:
    """Draw a wait after ``failures`` failed successors, at least ``no_sooner`` seconds; then report ``RotationDue``."""

    generation: int
    failures: int
    no_sooner: float


UpstreamCommand = (
    DialNext
    | Hangup
    | ScheduleRetry
    | ForgetTokens
    | ForgetSession
    | Probe
    | DialSuccessor
    | Succeed
    | ScheduleRotation
)
