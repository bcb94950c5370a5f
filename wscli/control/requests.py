"""The requests of the control socket: the arguments of each verb as a type.

Clients build these types, and commands import them for type checking alone; ``validation`` reads them in the manager. A
number's ``Annotated`` type has the function that validates it, and its description for errors. Here is also the syntax
of references in a message that expects a reply: both sides parse it, the manager fills them.
"""

import re
from collections.abc import Callable
from typing import Annotated, Literal, NotRequired, TypedDict, final

from wscli.control.protocol import COUNT_LIMIT, State


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value <= COUNT_LIMIT


def _is_within(least: float, under: float) -> Callable[[object], bool]:
    return lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value < under


def _is_utf8(value: object) -> bool:
    return isinstance(value, str) and not any("\ud800" <= one <= "\udfff" for one in value)


def _is_names(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(name, str) for name in value)


def _is_ids(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_count, value))


Count = Annotated[int, _is_count, "a whole number of at least 0"]
Time = Annotated[float, _is_within(-1e15, 1e15), "a time in seconds since the epoch"]
Duration = Annotated[float, _is_within(0, 1e9), "a number of seconds, at least 0 and under 1e9"]
Utf8 = Annotated[str, _is_utf8, "text in UTF-8"]
Names = Annotated[list[str], _is_names, "a list of at least one name"]
Ids = Annotated[list[int], _is_ids, "a list of whole numbers"]
LogLevel = Literal["debug", "info", "warning", "error"]
"""A level of the manager's log, which includes every level after it."""
Framing = Literal["whole", "line", "nul"]
Format = Literal["plain", "nul", "json"]

Ref = int | str
"""What a reference becomes."""
PLACEHOLDER = re.compile(r"\{(?P<escape>\{)?ref\.(?P<kind>[A-Za-z0-9_-]+)(?::[A-Za-z0-9_]*)?\}")
"""``{ref.int}``, with a filter or without; behind one more brace it is text. Every other brace is text anyway."""


def refers(text: str) -> bool:
    """Say whether a message has a reference in it."""
    return any(not found["escape"] for found in PLACEHOLDER.finditer(text))


class NoArguments(TypedDict):
    """``complete``, ``reload``; and ``ping`` and ``down``, whose arguments are ignored."""


class ChannelsRequest(TypedDict):
    """``stats``; empty or missing: all channels."""

    channels: NotRequired[list[str]]


class NamedChannels(TypedDict):
    """``start``, ``stop``, ``restart``, ``rotate`` and ``resubscribe``."""

    channels: Names


class StatusRequest(ChannelsRequest):
    """``status``; with ``watch`` every change follows the answer."""

    watch: NotRequired[bool]


class PauseRequest(ChannelsRequest):
    """``pause`` and ``resume``: the named channels, those with ``critical: false``, or all."""

    noncritical: NotRequired[bool]


WaitRequest = TypedDict("WaitRequest", {"channels": NotRequired[list[str]], "for": NotRequired[State]})
"""``wait``; empty or missing: every eager critical channel."""


class ReadingOptions(TypedDict):
    """What ``tail`` and ``consume`` share: ``after`` holds a cursor by channel; the default of ``follow`` is false."""

    format: NotRequired[Format]
    last: NotRequired[Count | None]
    since: NotRequired[Time | None]
    after: NotRequired[dict[str, str] | None]
    count: NotRequired[Count | None]
    follow: NotRequired[bool]


class TailRequest(ReadingOptions):
    """``tail``."""

    channels: Names


class ConsumeRequest(ReadingOptions):
    """``consume``: ``tail`` of one channel as a named consumer; ``claim`` is the cursor up to which it is done."""

    channel: str
    consumer: str
    pid: NotRequired[Count | None]
    claim: NotRequired[str | None]


@final
class BlockLine(TypedDict):
    """``send`` and ``queue``: announces so many raw bytes."""

    bytes: Count
    framing: NotRequired[Framing]


@final
class OutcomesLine(TypedDict):
    """``queue``, after the last block: asks for the outcome of each message."""

    outcomes: bool


class SendRequest(TypedDict):
    """``send``: with ``bytes`` the request announces the first block; ``refs`` fills the references in the message.

    ``connection`` is the number of the connection that the command of ``on_connect`` prepares. With ``refs``, ``reply``
    has the answer wait for the reply that the channel's session declares, ``timeout`` covering all of it.
    """

    channel: str
    binary: NotRequired[bool]
    timeout: NotRequired[Duration]
    bytes: NotRequired[Count]
    framing: NotRequired[Framing]
    refs: NotRequired[bool]
    reply: NotRequired[bool]
    connection: NotRequired[Count]


class QueueRequest(TypedDict):
    """``queue``: ``ttl`` is in seconds; ``watch`` allows an `OutcomesLine` after the last block."""

    channel: str
    binary: NotRequired[bool]
    ttl: NotRequired[Duration | None]
    key: NotRequired[Utf8 | None]
    watch: NotRequired[bool]
    bytes: NotRequired[Count]
    framing: NotRequired[Framing]


class OutboxList(ChannelsRequest):
    """``outbox`` ``ls``."""

    action: Literal["ls"]


class OutboxRemove(TypedDict):
    """``outbox`` ``rm``: all messages of a channel, else the expired ones, else those with these numbers."""

    action: Literal["rm"]
    ids: NotRequired[Ids]
    expired: NotRequired[bool]
    channel: NotRequired[Utf8 | None]


class OutboxFlush(TypedDict):
    """``outbox`` ``flush``."""

    action: Literal["flush"]


class ConsumerList(ChannelsRequest):
    """``consumer`` ``ls``."""

    action: Literal["ls"]


class ConsumerChange(TypedDict):
    """``consumer`` ``rm``."""

    action: Literal["rm"]
    channel: str
    name: str


class ConsumerReset(TypedDict):
    """``consumer`` ``reset``: ``to`` is ``start``, ``end`` or a cursor."""

    action: Literal["reset"]
    channel: str
    name: str
    to: str


class TokenList(TypedDict):
    """``token`` ``ls``."""

    action: Literal["ls"]


class TokenRequest(TypedDict):
    """``token``: what to do with a token source."""

    action: Literal["get", "refresh", "forget"]
    name: str
    hook: NotRequired[dict[str, str]]
    """Of ``get``: the channel and the instance whose hook asks."""


class AttachRequest(TypedDict):
    """``attach``: a channel's name, or the URL that it dials; one of the two."""

    channel: NotRequired[str]
    url: NotRequired[str]


class DoctorRequest(TypedDict):
    """``doctor``."""

    channel: str
    dial: NotRequired[bool]


class LogsRequest(TypedDict):
    """``logs``: the last ``n`` records, and with ``follow`` the next ones; without ``level`` those that are written."""

    n: NotRequired[Count]
    follow: NotRequired[bool]
    level: NotRequired[LogLevel]
