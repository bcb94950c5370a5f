"""A channel's state in words: what commands and the manager's errors say of one that is not ready."""

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wscli.control.messages import Status

__all__ = ["state_text"]


def state_text(status: "Status", now: float | None = None) -> str:
    """Describe a state with its reason and the next attempt: ``waiting 4 s: connection refused; attempt 3``.

    ``now`` is in seconds since the epoch.
    """
    state, attempt, at = status["state"], status["attempt"], status["next"]["at"]
    text = state
    if state == "waiting":
        attempt += 1  # while it waits, those that were made are counted
        if at is not None:
            text += f" {_seconds(at - (time.time() if now is None else now))}"
    text += f": {status['reason']['text']}"
    if state in ("waiting", "connecting", "handshaking") and attempt > 1:
        text += f"; attempt {attempt}"
    return text


def _seconds(left: float) -> str:
    if left < 10:
        return f"{max(left, 0.0):.1f}".removesuffix(".0") + " s"
    return f"{left:.0f} s" if left < 120 else f"{left / 60:.0f} min"
