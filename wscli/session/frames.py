"""How messages lie in frames: joined, split, ended, parsed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

__all__ = [
    "FrameDecoder",
    "BadStream",
    "FramesPlan",
    "StreamPlan",
    "Unit",
    "encode_message",
    "message_value",
    "payload_of",
]


class BadStream(ValueError):
    """A stream breaks its bounds; the connection cannot be read on."""


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """Frames are a stream of bytes; each unit ends with ``until``."""

    until: bytes
    body: re.Pattern[str] | None = None
    """Fits a whole unit that a body follows; its group ``size`` says of how many bytes."""


@dataclass(frozen=True, slots=True)
class FramesPlan:
    """``frames:``; without any of it, a frame is a message."""

    split: str | None = None
    end: str = ""
    send: Literal["text", "binary"] = "text"
    parse: tuple[re.Pattern[str], ...] = ()
    """Of ``compile_linear_regex``; each fits a whole message."""
    stream: StreamPlan | None = None

    @property
    def whole(self) -> bool:
        """Whether each frame is one message, so that no decoder is needed."""
        return self.split is None and self.stream is None


class Unit(NamedTuple):
    """One message as bytes."""

    payload: bytes
    binary: bool


class FrameDecoder:
    """The units of one connection's frames."""

    def __init__(self, plan: FramesPlan, max_message: int) -> None: ...

    def units(self, payload: bytes, *, binary: bool) -> Iterable[Unit]:
        """Give the units that a frame ends.

        Raises:
            BadStream: a unit of the stream is longer than ``max_message``, or its size is not a number.
        """
        raise NotImplementedError


def message_value(plan: FramesPlan, payload: bytes) -> Any:
    """Give what paths and shapes see: an object of a regex's groups, else the JSON, else text, else bytes."""
    raise NotImplementedError


def payload_of(value: Any) -> Unit:
    """Give what a history holds of a value: a text's bytes, bytes as they are, all else as compact JSON."""
    raise NotImplementedError


def encode_message(plan: FramesPlan, value: Any, *, outgoing: bool = False) -> Unit:
    """Encode a message to send; ``end`` goes after mappings, lists and what ``outgoing`` wrapped."""
    raise NotImplementedError
