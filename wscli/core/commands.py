"""What the machine wants done: the only output beside the next snapshot.

Each command carries the ``generation`` of the attempt that it is about.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "Command",
    "Dial",
    "DialSuccessor",
    "ForgetTokens",
    "Hangup",
    "Probe",
    "ScheduleRetry",
    "ScheduleRotation",
    "Succeed",
]


@dataclass(frozen=True, slots=True)
class Dial:
    """Begin attempt ``generation``, once the connection before it is gone."""

    generation: int


@dataclass(frozen=True, slots=True)
class Hangup:
    """Close what attempt ``generation`` has opened or is opening."""

    generation: int


@dataclass(frozen=True, slots=True)
class ScheduleRetry:
    """Draw a wait for ``attempt``, ``no_sooner`` seconds at least, and report it as ``RetryScheduled``."""

    generation: int
    attempt: int
    no_sooner: float


@dataclass(frozen=True, slots=True)
class ForgetTokens:
    """Invalidate the very tokens that attempt ``generation`` used."""

    generation: int


@dataclass(frozen=True, slots=True)
class Probe:
    """Ping the open connection at once: the network changed under it."""

    generation: int


@dataclass(frozen=True, slots=True)
class DialSuccessor:
    """Begin attempt ``generation`` beside the ready connection, which is left alone."""

    generation: int


@dataclass(frozen=True, slots=True)
class Succeed:
    """Let successor ``generation`` take the place of the present connection.

    Where that is still open, it takes no more sends, and what comes over it is received until it is closed.
    """

    generation: int


@dataclass(frozen=True, slots=True)
class ScheduleRotation:
    """Draw a wait after ``failures`` successors that failed, ``no_sooner`` seconds at least; then ``RotationDue``."""

    generation: int
    failures: int
    no_sooner: float


Command = Dial | Hangup | ScheduleRetry | ForgetTokens | Probe | DialSuccessor | Succeed | ScheduleRotation
