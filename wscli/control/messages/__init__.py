"""The answers of the control socket, verb by verb: the manager builds these types and clients read them.

Scripts rely on the keys of `Status` and `Stats`, which are never removed. Commands import these types for type checking
alone, for the sake of their start-up time. ``requests`` has the other direction.
"""

from typing import Literal, NotRequired, TypedDict

from wscli.control.messages.clients import ClientsReport, OwnStats


class StateReason(TypedDict):
    """Why a channel stands where it stands: a code for scripts, a text for people."""

    code: str
    text: str


class NextStep(TypedDict):
    """What happens to it next, and when (wall clock), where that is known."""

    action: str
    at: float | None


class Lag(TypedDict):
    """How far a named consumer of a channel is, and the process that reads by its name now."""

    seq: int
    lag: int
    held_by: int | None


class Status(TypedDict):
    """An object of ``status --json``, and of its stream of changes."""

    channel: str
    state: str
    since: float
    reason: StateReason
    next: NextStep
    critical: bool
    attempt: int
    last_message_at: float | None
    consumers: dict[str, Lag]
    clients: ClientsReport
    problems: list[str]


class Connections(TypedDict):
    """Upstream connections: open ones, all, and successors of a rotation under way.

    ``unrouted`` counts the messages that no channel's ``route`` fits.
    """

    active: int
    total: int
    successors: int
    unrouted: int


class HistoryRange(TypedDict):
    """The numbers of the oldest and the newest message that is kept; nothing is kept where ``first`` is larger."""

    first: int
    last: int


class LastClose(TypedDict):
    """How the last connection ended."""

    code: int | None
    reason: str
    by: str


class SuccessorReport(TypedDict):
    """The connection that will replace the open one."""

    state: str
    since: float


class ChannelCounts(TypedDict):
    """Counters of a channel since the manager started."""

    received: int
    received_bytes: int
    sent: int
    sent_bytes: int
    connects: int
    reconnects: int
    reconnects_by_reason: dict[str, int]
    rotations: int
    dials: int
    dial_failures: int
    refusals: int
    retries: int
    closes: int
    subscription_ends: int
    duplicates: int
    backfilled: int
    rtt_s: float | None
    last_message_at: float | None
    last_close: LastClose | None


class ChannelStats(ChannelCounts):
    """A channel in ``stats --json``."""

    state: str
    since: float
    critical: bool
    readers: int
    history: HistoryRange
    store: str
    committed: int | None
    consumers: dict[str, Lag]
    retry_in_s: float | None
    transport: str | None
    successor: SuccessorReport | None
    short_outages: int
    hooks: dict[str, dict[str, int]]
    outbox: dict[str, int]
    gaps: dict[str, int]
    own: OwnStats
    problems: list[str]


class TokenStats(TypedDict):
    """A token source in ``stats --json``: why its last fetch failed, and in how many seconds it is asked again."""

    state: str
    expires_in_s: float | None
    fetches: int
    served: int
    failures: int
    reason: str | None
    retry_in_s: float | None


class GatewayStats(TypedDict):
    """The gateway in ``stats --json``: where it listens, and its clients."""

    listen: list[str]
    clients: int
    strangers: int
    refused: int
    dropped: int


class Stats(TypedDict):
    """``stats``: the object of ``stats --json``, which only ever gains keys."""

    schema: int
    instance: str
    pid: int
    uptime_s: float
    connections: Connections
    channels: dict[str, ChannelStats]
    tokens: dict[str, TokenStats]
    problems: list[str]
    gateway: NotRequired[GatewayStats | None]


class StatusAnswer(TypedDict):
    """``status``."""

    instance: str
    channels: list[Status]
    problems: list[str]


class ChannelStates(TypedDict):
    """``wait``, and what is done by hand, such as ``start``: how the channels stand after it."""

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


class OutboxAnswer(TypedDict, total=False):
    """``outbox``: the messages of ``ls``, how many ``rm`` removed, and nothing of ``flush``."""

    messages: list[OutboxMessage]
    removed: int


class SessionReply(TypedDict):
    """A reply that a session declares, as the record of a message has it; the history need not have it."""

    ts: float
    type: Literal["text", "binary"]
    encoding: NotRequired[Literal["base64"]]
    data: str


class SendReceipt(TypedDict):
    """``send`` with ``refs``: what they were filled with, and the ``epoch:seq`` of the last message before it.

    With ``reply`` also the reply.
    """

    sent: int
    ref: int | str | None
    after: str
    reply: NotRequired[SessionReply]


class TokenAnswer(TypedDict, total=False):
    """``token``: the tokens of ``ls``, the token of ``get``, the version and rest of ``refresh``."""

    tokens: dict[str, TokenStats]
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
