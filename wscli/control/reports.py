"""The objects of ``status --json`` and ``stats --json``; scripts rely on their keys, which are never removed."""

from typing import NotRequired, TypedDict


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
    consumers: dict[str, Lag]
    problems: list[str]


class Connections(TypedDict):
    """Upstream connections: open ones, channels, and successors of a rotation under way."""

    active: int
    total: int
    successors: int


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
    duplicates: int
    backfilled: int
    rtt_s: float | None
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
    problems: list[str]


class TokenStats(TypedDict):
    """A token source in ``stats --json``."""

    state: str
    expires_in_s: float | None
    fetches: int
    served: int
    failures: int


class GatewayStats(TypedDict):
    """The gateway in ``stats --json``: where it listens, and its clients."""

    listen: list[str]
    clients: int
    refused: int


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
