"""The answer of ``doctor``: a channel's last attempt to connect, step by step."""

from typing import TypedDict

from wscli.control.messages import Status


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


class AnswerReport(TypedDict):
    """The answer to an upgrade: all remote text, without secrets."""

    status: int
    phrase: str
    headers: dict[str, str]
    """By name in lower case, several values joined by commas; ``***`` for those that may be secret."""
    subprotocol: str | None
    extensions: str | None
    location: str | None
    """The target of a redirect, its query hidden."""
    body: str
    """The first 300 bytes of the body of a refusal."""


class SessionStep(TypedDict):
    """One step of the session, as the endpoint declares it; of one that repeats, the last time."""

    place: str
    """Where it is declared, such as ``hello[1]``."""
    action: str
    """What it does, such as ``send connection_init``."""
    channel: str | None
    """The channel that it subscribes; None for a step of the connection."""
    at: float
    """When it ended."""
    seconds: float
    answer: str
    """What came, shortened and without secrets."""
    ok: bool


class ExchangeReport(TypedDict):
    """A request to upgrade, and its answer."""

    url: str
    """With ``***`` for each value of the query."""
    proxy: str | None
    headers: list[str]
    """The names of the request's headers."""
    subprotocols: list[str]
    extensions: str | None
    answer: AnswerReport | None


class AttemptReport(TypedDict):
    """An attempt, step by step."""

    started: float
    peer: str | None
    tokens: list[str]
    steps: list[AttemptStep]
    exchanges: list[ExchangeReport]
    session: list[SessionStep]
    """Of the connection and of the channel, in the order in which they ended."""
    failure: AttemptFailure | None


class Doctor(TypedDict):
    """``doctor``."""

    channel: Status
    url: str
    attempt: AttemptReport | None
