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
