"""What the machine wants done: the only output beside the next snapshot.

Each command carries the ``generation`` of the attempt that it is about.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Command", "Dial", "ForgetTokens", "Hangup", "Probe", "ScheduleRetry"]


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


Command = Dial | Hangup | ScheduleRetry | ForgetTokens | Probe
