"""How a demo back end behaves before anybody tells it to misbehave."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

__all__ = ["DEFAULT_PORT", "CallTimes", "DemoOptions"]

DEFAULT_PORT = 8790


@dataclass(frozen=True, slots=True)
class CallTimes:
    """How long the parts of a call last, in seconds."""

    pause: float = 5.0
    """Between the end of one call and the ringing of the next."""
    ring: float = 4.0
    talk: float = 10.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What a demo back end is started with."""

    port: int = DEFAULT_PORT
    """On loopback; 0 takes a free one."""
    interval: float | None = 1.0
    """Seconds between two notifications; None sends only those that ``notify`` asks for."""
    calls: CallTimes | None = field(default_factory=CallTimes)
    """None rings only when ``ring`` asks for it."""
    token_life: float = 60.0
    """Seconds; a token is checked at the upgrade only, so a live connection outlives it."""
    require_token: bool = True
    refuse_by: Literal["http", "close"] = "http"
    """How a missing or stale token is refused: HTTP 401 at the upgrade, or close code 4401 after it."""
    api_key: str | None = None
    """What ``POST /ws-token`` wants as ``Authorization: Bearer``; None lets everybody have one."""
    compression: bool = True
    max_message: int = 4 << 20
