"""How messages lie in frames: joined, split, ended, parsed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

__all__ = ["FramesPlan", "StreamPlan"]


@dataclass(frozen=True, slots=True)
class StreamPlan:
    """Frames are a stream of bytes; each unit ends with ``until``."""

    until: bytes
    body: re.Pattern[bytes] | None = None
    """Its group ``size`` says how many bytes follow the unit."""


@dataclass(frozen=True, slots=True)
class FramesPlan:
    """``frames:``; without any of it, a frame is a message."""

    split: str | None = None
    end: str = ""
    send: Literal["text", "binary"] = "text"
    parse: tuple[re.Pattern[str], ...] = ()
    stream: StreamPlan | None = None
