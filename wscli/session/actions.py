"""What a session wants done: its only output. The order counts; each is carried out before the next is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from wscli.core.failures import Failure, Verdict
from wscli.errors import NotSent
from wscli.net.http import HttpRequest
from wscli.templates.paths import ABSENT, JsonPath

__all__ = [
    "AskTokens", "ByeOver", "Call", "CallFailed", "ChannelSession", "CountUnrouted", "Deliver", "Fetch",
    "JudgeChannel", "JudgeUpstream", "Keep", "MessageRefused", "StepWaits", "RecordGap", "Reply", "CommandCall",
    "Send", "SessionAction", "SessionReady", "SetTimer", "Stepped", "SubscriptionReady", "Unsubscribed",
]  # fmt: skip


class ChannelSession(Protocol):
    """A channel's part of a session; one object a channel, the same on each connection."""

    @property
    def name(self) -> str:
        """The channel's name."""

    @property
    def params(self) -> Mapping[str, str]:
        """The parameters of its name."""

    @property
    def values(self) -> Mapping[str, Any]:
        """Its ``with:``, filled."""

    @property
    def critical(self) -> bool:
        """Whether it goes before those that are not."""

    @property
    def dedupe(self) -> JsonPath | None:
        """Its ``dedupe:``, which sees the whole message."""

    @property
    def kept(self) -> dict[str, Any]:
        """What ``keep`` keeps of it. The session writes to it; the owner empties it for a verdict ``fresh``."""


@dataclass(frozen=True, slots=True)
class Send:
    """Let a message out as soon as ``Session.wait_to_send`` allows, in order: ``Session.let_out`` then renders it.

    Messages of a session go before those of users that wait.
    """

    message: Any
    """An ``OutgoingMessage``; hand it to ``let_out`` or, if it cannot be sent, to ``not_sent``."""


@dataclass(frozen=True, slots=True)
class AskTokens:
    """Get tokens; the answer is a mapping from each name to its text."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Fetch:
    """Make an HTTP call; the answer is the body. Statuses other than 2xx and ``accept`` are failures."""

    request: HttpRequest
    accept: frozenset[int]


@dataclass(frozen=True, slots=True, repr=False)
class CommandCall:
    """Run a command without a shell; the answer is its output. No repr, because it may hold secrets."""

    argv: Sequence[str]
    stdin: str | None


@dataclass(frozen=True, slots=True)
class CallFailed:
    """Why a call failed, for ``Session.answered``."""

    failure: Failure
    """Of kind ``token`` for tokens, ``status`` with its ``code`` for an HTTP status, else as a dial's."""
    body: bytes | object = field(default=ABSENT, repr=False)
    """The body of an HTTP answer with another status; an item of ``expect`` may say what then."""


@dataclass(frozen=True, slots=True)
class Call:
    """Do this within so many seconds, and tell ``Session.answered`` with the same number, once."""

    number: int
    what: AskTokens | Fetch | CommandCall
    within: float
    channel: ChannelSession | None
    """Whose step it is; None: the upstream's."""


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Call ``Session.due`` with the number in so many seconds; None: cancel that. A new delay replaces the old."""

    number: int
    delay: float | None


@dataclass(frozen=True, slots=True)
class StepWaits:
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
    answer: str = field(repr=False)
    """What arrived, shortened; it may hold secrets."""
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
    """What ``unsubscribe`` declares is done, or need not be. The channel does not fail with it."""

    channel: ChannelSession


@dataclass(slots=True)
class ByeOver:
    """What ``bye`` declares is done, or its time is over: close now."""


@dataclass(slots=True)
class Deliver:
    """Append messages to a channel's history."""  # not frozen: a frozen one takes four times as long to make

    channel: ChannelSession
    payloads: list[bytes]
    kinds: bytes | None
    """As in ``ConnectionListener.on_batch``."""
    keys: list[str | None] | None = None
    """By which ``dedupe`` recognises each message; None: nothing is declared, or a message has no key."""
    kept: Mapping[str, Mapping[str, Any]] | None = None
    """All kept values, to be written in the commit of these messages: ``sub`` has the channel's, and where the upstream
    is not shared ``var`` has the upstream's. None: as they were."""
    acks: list[tuple[int, int]] | tuple[()] = ()
    """Index of a message and number of its acknowledgement: to be told to ``Session.logged`` once it is committed, or
    at once where the channel drops it as a duplicate."""


@dataclass(slots=True)
class Keep:
    """Write kept values that changed without a message to commit; a shared upstream's are in memory alone."""

    channel: ChannelSession
    kept: Mapping[str, Mapping[str, Any]]
    """All of them, as in ``Deliver``."""


@dataclass(slots=True)
class CountUnrouted:
    """Count messages that no channel's ``route`` fits."""

    messages: int


@dataclass(frozen=True, slots=True)
class RecordGap:
    """Record a gap: of ``then: gap`` (reason ``declared``), or of a jump of ``order`` (``skipped``, with its count)."""

    channel: ChannelSession
    reason: str
    missed: int | None


@dataclass(frozen=True, slots=True)
class JudgeUpstream:
    """Carry out a verdict on the connection; ``verdict`` None: as the declared tables say."""

    verdict: Verdict | None
    failure: Failure


@dataclass(frozen=True, slots=True)
class JudgeChannel:
    """Carry out a verdict on one channel's subscription; ``verdict`` None: as the declared tables say.

    The session has forgotten the subscription: ``join`` subscribes anew. Only where the upstream is shared.
    """

    channel: ChannelSession
    verdict: Verdict | None
    failure: Failure


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a message that a program sent, by the object of ``Session.wrap``.

    ``payload`` is what ``show`` gives of it; the whole where it gives nothing or several messages.
    """

    message: Any
    payload: bytes
    binary: bool = False


class MessageRefused(NotSent):
    """A program's message that the session can never send."""


SessionAction = (
    Send
    | Call
    | SetTimer
    | StepWaits
    | Stepped
    | SessionReady
    | SubscriptionReady
    | Unsubscribed
    | ByeOver
    | Deliver
    | Keep
    | CountUnrouted
    | RecordGap
    | JudgeUpstream
    | JudgeChannel
    | Reply
)
