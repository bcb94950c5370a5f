"""What the machines want done: their only output beside the next state.

Each command of an upstream carries the ``generation`` of the attempt that it concerns.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "ChannelCommand",
    "DialNext",
    "DialSuccessor",
    "ForgetChannelTokens",
    "ForgetKept",
    "ForgetSession",
    "ForgetTokens",
    "Hangup",
    "Probe",
    "ScheduleLook",
    "ScheduleRetry",
    "ScheduleRotation",
    "ScheduleSubscription",
    "Succeed",
    "UpstreamCommand",
]


@dataclass(frozen=True, slots=True)
class UpstreamCommand:
    """A command on attempt ``generation``."""

    generation: int


@dataclass(frozen=True, slots=True)
class DialNext(UpstreamCommand):
    """Start attempt ``generation`` as soon as the connection before it is closed.

    ``by_hand`` says that a person asked for it: nothing but the rate of the connect budget holds it back.
    """

    by_hand: bool = False


class Hangup(UpstreamCommand):
    """Close the connection that attempt ``generation`` opened, or cancel its dial."""


@dataclass(frozen=True, slots=True)
class ScheduleRetry(UpstreamCommand):
    """Draw a wait for ``attempt``, at least ``no_sooner`` seconds, and report it as ``RetryScheduled``."""

    attempt: int
    no_sooner: float


@dataclass(frozen=True, slots=True)
class ScheduleLook(UpstreamCommand):
    """Dial the failed upstream again in ``after`` seconds, or a little sooner; report it as ``RetryScheduled``."""

    after: float


class ForgetTokens(UpstreamCommand):
    """Invalidate exactly the tokens that attempt ``generation`` used."""


class ForgetSession(UpstreamCommand):
    """Forget what the session of attempt ``generation`` could be resumed with."""


class Probe(UpstreamCommand):
    """Ping the open connection at once: the network changed."""


class DialSuccessor(UpstreamCommand):
    """Start attempt ``generation`` beside the ready connection."""


class Succeed(UpstreamCommand):
    """Put successor ``generation`` in the place of the present connection.

    The present one, if open, gets no more sends and is closed; its messages are received until then.
    """


@dataclass(frozen=True, slots=True)
class ScheduleRotation(UpstreamCommand):
    """Draw a wait after ``failures`` failed successors, at least ``no_sooner`` seconds; then report ``RotationDue``."""

    failures: int
    no_sooner: float


@dataclass(frozen=True, slots=True)
class ChannelCommand:
    """A command on one channel's subscription."""


@dataclass(frozen=True, slots=True)
class ScheduleSubscription(ChannelCommand):
    """Draw a wait for ``attempt``, at least ``no_sooner`` seconds, and report it as ``RetryScheduled``.

    With ``exactly``, no wait is drawn: the failed channel is opened again in ``no_sooner`` seconds, or a little sooner.
    """

    attempt: int
    no_sooner: float
    exactly: bool = False


class ForgetChannelTokens(ChannelCommand):
    """Invalidate exactly the tokens that the channel's own steps used."""


class ForgetKept(ChannelCommand):
    """Forget what the session keeps of the channel."""
