"""The answers of the control socket, verb by verb: the manager builds these types and clients read them.

Commands import them for type checking alone, for the sake of their start-up time. ``requests`` has the other direction.
"""

from typing import Literal, TypedDict

from wscli.control.reports import Status, TokenStats


class StatusAnswer(TypedDict):
    """``status``."""

    instance: str
    channels: list[Status]
    problems: list[str]


class ChannelStates(TypedDict):
    """``start``, ``stop``, ``restart``, ``pause``, ``resume``, ``wait``: how the channels stand after it."""

    channels: list[Status]


class Ping(TypedDict):
    """``ping``: an instance, as ``ls`` shows it; None for what one that does not answer would have said."""

    version: str | None
    instance: str
    pid: int
    file: str
    uptime_s: float | None
    channels: int | None
    ready: int | None


class Down(TypedDict):
    """``down``: the process that is going."""

    pid: int


class Complete(TypedDict):
    """``complete``: names that a shell may offer."""

    channels: list[str]
    tokens: list[str]


class ConsumerStatus(TypedDict):
    """A named consumer: where it is, how many committed messages are behind that, and the process that reads now."""

    channel: str
    consumer: str
    cursor: str
    lag: int
    held_by: int | None
    moved_at: float | None


class ConsumersAnswer(TypedDict):
    """``consumer``."""

    consumers: list[ConsumerStatus]


class Sent(TypedDict):
    """``send``: how many messages of a block left."""

    sent: int


class QueueReceipt(TypedDict):
    """``queue``: how many messages of a block are queued, and how many are not because their key is known."""

    queued: int
    known: int
    first: int
    """The number of the first queued message; if there is none, of the message that has the key."""
    state: str
    """``queued``, or ``sent`` if the message that has the key was sent."""


class QueueOutcome(TypedDict):
    """``queue`` with ``watch``: the outcome of a message."""

    id: int
    outcome: Literal["sent", "expired", "rejected", "removed", "unknown"]
    """``unknown``: it expired or was removed, and may have been sent before."""
    reason: str | None


class OutboxMessage(TypedDict):
    """An object of ``outbox ls --json``; times are seconds since the epoch, ``size`` is in bytes."""

    id: int
    channel: str
    state: str
    queued_at: float
    expires_at: float | None
    key: str | None
    size: int
    attempts: int
    reason: str | None


class OutboxMessages(TypedDict):
    """``outbox`` ``ls``."""

    messages: list[OutboxMessage]


class RemovedAnswer(TypedDict):
    """``outbox`` ``rm``: how many messages."""

    removed: int


class Flushed(TypedDict):
    """``outbox`` ``flush``: nothing is queued."""


class SendReceipt(Sent):
    """``send`` with ``refs``: what the one message became."""

    ref: int | str | None
    """What its references were filled with."""
    after: str
    """``epoch:seq`` of the last message that came before it was handed over."""


class TokensAnswer(TypedDict):
    """``token ls``."""

    tokens: dict[str, TokenStats]


class TokenAnswer(TypedDict, total=False):
    """``token get`` (token alone) and ``token refresh`` (the other two)."""

    token: str
    version: int
    expires_in_s: float | None


class Reload(TypedDict):
    """``reload``: names of channels, by what became of them."""

    kept: list[str]
    updated: list[str]
    rotated: list[str]
    restarted: list[str]
    added: list[str]
    removed: list[str]


class Attached(TypedDict):
    """``attach``: the channel that the connection goes on as."""

    channel: str


class AttemptStep(TypedDict):
    """One step of an attempt."""

    name: str
    seconds: float
    detail: str
    ok: bool


class AttemptFailure(TypedDict):
    """How an attempt ended."""

    kind: str
    code: int | None
    text: str


class AttemptReport(TypedDict):
    """An attempt, step by step."""

    started: float
    peer: str | None
    tokens: list[str]
    steps: list[AttemptStep]
    failure: AttemptFailure | None


class Doctor(TypedDict):
    """``doctor``."""

    channel: Status
    url: str
    attempt: AttemptReport | None
