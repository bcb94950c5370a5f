"""What a session wants done: its only output. The order counts; each is carried out before the next is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from wscli.core.failures import Failure, Verdict
from wscli.net.http import HttpRequest

__all__ = [
    "Action", "AskTokens", "Call", "Deliver", "Fetch", "JudgeChannel", "JudgeUpstream", "Keep", "Progress", "RecordGap",
    "Reply", "RunCommand", "Send", "SessionReady", "SetTimer", "Stepped", "SubscriptionReady", "Unsubscribed",
]  # fmt: skip


class ChannelSession(Protocol):
    """A channel's part of a session; one object a channel, the same on each connection."""

    name: str
    params: Mapping[str, str]
    values: Mapping[str, Any]
    """Of ``with:``, filled."""
    critical: bool
    kept: dict[str, Any]
    """What ``keep`` keeps of the channel; written through ``Keep``."""


@dataclass(frozen=True, slots=True)
class Send:
    """Let a message out as soon as ``limits.send`` allows: ``Session.let_out`` then renders it."""

    message: Any
    """The session's own object; hand it to ``let_out`` or, if it cannot be sent, to ``not_sent``."""


@dataclass(frozen=True, slots=True)
class AskTokens:
    """Get tokens, by name."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Fetch:
    """Make an HTTP call. Statuses other than 2xx and ``accept`` are failures."""

    request: HttpRequest
    accept: frozenset[int]


@dataclass(frozen=True, slots=True)
class RunCommand:
    """Run a command without a shell, for its output."""

    argv: Sequence[str]
    stdin: str | None


@dataclass(frozen=True, slots=True)
class Call:
    """Do this, and tell ``Session.answered`` with the same number; each call is answered once, unless it is ended."""

    number: int
    what: AskTokens | Fetch | RunCommand
    within: float


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Call ``Session.due`` with the number in so many seconds; None: not any more. A new delay replaces the old."""

    number: int
    delay: float | None


@dataclass(frozen=True, slots=True)
class Progress:
    """A step waits now; ``channel`` None: of the upstream."""

    channel: ChannelSession | None
    text: str


@dataclass(frozen=True, slots=True)
class Stepped:
    """A step is over, for ``doctor``."""

    channel: ChannelSession | None
    place: str
    shown: str
    seconds: float
    answer: str
    """What came, shortened; it may hold secrets."""
    ok: bool


@dataclass(frozen=True, slots=True)
class SessionReady:
    """``before`` is over, so that the dial may begin, or ``hello`` is, so that channels may be subscribed."""

    resumed: bool = False


@dataclass(frozen=True, slots=True)
class SubscriptionReady:
    """The channel is subscribed; without ``resumed`` there may be a gap. Held messages follow as ``Deliver``."""

    channel: ChannelSession
    resumed: bool


@dataclass(frozen=True, slots=True)
class Unsubscribed:
    """What ``unsubscribe`` declares is sent, or need not be."""

    channel: ChannelSession


@dataclass(frozen=True, slots=True)
class Deliver:
    """Append messages to a channel's history."""

    channel: ChannelSession
    payloads: list[bytes]
    kinds: bytes | None
    """As in ``ConnectionListener.on_batch``."""
    keys: Sequence[str | None] | None = None
    """By which ``dedupe`` recognises each message; None: nothing is declared, or a message has no key."""
    kept: Mapping[str, Any] | None = None
    """The channel's kept values once these messages are committed; they belong into the same commit."""
    acks: Sequence[tuple[int, int]] = ()
    """Index of a message and number of its acknowledgement: to be told to ``Session.logged`` once it is committed, or
    at once where the channel drops it as a duplicate."""


@dataclass(frozen=True, slots=True)
class Keep:
    """Keep a value beyond the connection; ``channel`` None: of the upstream."""

    channel: ChannelSession | None
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RecordGap:
    """Record a gap: of ``then: gap`` (reason ``declared``), or of a jump of ``order`` (``skipped``, with its count)."""

    channel: ChannelSession
    reason: str
    missed: int | None


@dataclass(frozen=True, slots=True)
class JudgeUpstream:
    """Carry out a verdict on the connection."""

    verdict: Verdict
    failure: Failure


@dataclass(frozen=True, slots=True)
class JudgeChannel:
    """Carry out a verdict on one channel's subscription; ``verdict`` None: as the declared tables say."""

    channel: ChannelSession
    verdict: Verdict | None
    failure: Failure


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a message that a program sent, by ``Session.wrap``'s object."""

    message: Any
    payload: bytes


Action = (
    Send
    | Call
    | SetTimer
    | Progress
    | Stepped
    | SessionReady
    | SubscriptionReady
    | Unsubscribed
    | Deliver
    | Keep
    | RecordGap
    | JudgeUpstream
    | JudgeChannel
    | Reply
)
