"""What is said over the control socket, verb by verb: the one set of types that both sides are checked against.

Imported for type checking alone, so that it costs a command nothing. ``protocol`` has the lines that carry these.
"""

from typing import Any, Literal, TypedDict

__all__ = [
    "Attached",
    "Attempt",
    "AttemptFailure",
    "AttemptStep",
    "Block",
    "ByHand",
    "Complete",
    "Consumer",
    "Consumers",
    "Doctor",
    "Down",
    "Framing",
    "Lag",
    "Next",
    "Ping",
    "QueueOutcome",
    "QueueReceipt",
    "Reason",
    "Reload",
    "Sent",
    "States",
    "Stats",
    "Status",
    "Token",
    "Tokens",
]

Framing = Literal["whole", "line", "nul"]


class Reason(TypedDict):
    """Why a channel stands where it stands: a code for scripts, a text for people."""

    code: str
    text: str


class Next(TypedDict):
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
    reason: Reason
    next: Next
    critical: bool
    attempt: int
    consumers: dict[str, Lag]
    problems: list[str]


class States(TypedDict):
    """``status``."""

    instance: str
    channels: list[Status]
    problems: list[str]


class ByHand(TypedDict):
    """``start``, ``stop``, ``restart``, ``pause``, ``resume``, ``wait``: how the channels stand after it."""

    channels: list[Status]


class Stats(TypedDict):
    """``stats``: the object of ``stats --json``; what it holds of a channel only ever gains keys."""

    schema: int
    instance: str
    pid: int
    uptime_s: float
    connections: dict[str, int]
    channels: dict[str, dict[str, Any]]
    tokens: dict[str, dict[str, Any]]
    problems: list[str]


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


class Consumer(TypedDict):
    """A named consumer: where it is, how many committed messages are behind that, and the process that reads now."""

    channel: str
    consumer: str
    cursor: str
    lag: int
    held_by: int | None
    moved_at: float | None


class Consumers(TypedDict):
    """``consumer``."""

    consumers: list[Consumer]


class Block(TypedDict):
    """``send``: the header of so many raw bytes."""

    bytes: int
    framing: Framing


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


class Handed(Sent):
    """``send`` with ``refs``: what the one message became."""

    ref: int | str | None
    """What its references were filled with."""
    after: str
    """``epoch:seq`` of the last message that came before it was handed over."""


class Tokens(TypedDict):
    """``token ls``."""

    tokens: dict[str, dict[str, Any]]


class Token(TypedDict, total=False):
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


class Attempt(TypedDict):
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
    attempt: Attempt | None
