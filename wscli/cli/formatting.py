"""Numbers and times as people read them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wscli.control.reports import Status

__all__ = ["consumer_lines", "duration", "next_step", "problem_lines", "size", "state_style"]

_SIZES = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def duration(seconds: float) -> str:
    """Write seconds: ``12ms``, ``4.2s``, ``1h2m``."""
    if seconds < 0.9995:
        return f"{max(0.0, seconds) * 1000:.0f}ms" if seconds >= 0.01 or seconds <= 0 else f"{seconds * 1000:.1f}ms"
    if seconds < 9.95:
        return f"{seconds:.1f}".removesuffix(".0") + "s"
    left, parts = round(seconds), []
    for unit, length in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, length)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2])


def size(count: int) -> str:
    """Write bytes: ``80B``, ``3.3KiB``."""
    for unit, name in _SIZES:
        if count >= unit:
            return f"{count / unit:.1f}{name}"
    return f"{count}B"


def next_step(status: Status, *, now: float | None = None) -> str:
    """Say what happens next to a channel, from its status object; of a dial which attempt in a row it is."""
    action, at = status["next"]["action"], status["next"]["at"]
    channel = status["channel"]
    if action in ("retry", "dial"):
        attempt = status["attempt"] + (action == "retry")  # while it waits, those that were made are counted
        left = 0.0 if at is None else at - (time.time() if now is None else now)
        words = f"dials in {duration(left)}" if left > 0 else "dials now"
        return f"{words}; attempt {attempt}" if attempt > 1 else words
    return {
        "network": "dials when there is a network",
        "use": "opens when it is used",
        "resume": f"`wscli resume {channel}`",
        "start": f"`wscli start {channel}`",
        "none": "",
    }.get(action, str(action))


def problem_lines(states: Sequence[Status], own: Sequence[str] = ()) -> list[str]:
    """List what is wrong beside the states: the manager's own, then each channel's after its name."""
    return [*own, *(f"{one['channel']}: {text}" for one in states for text in one.get("problems", ()))]


def consumer_lines(states: Sequence[Status]) -> list[str]:
    """Say of each named consumer, after its channel's name, how far behind it is and who reads by its name."""
    return [
        f"{one['channel']}: {name} {_behind(lag['lag'])}; {_reader(lag['held_by'])}"
        for one in states
        for name, lag in one.get("consumers", {}).items()
    ]


def _behind(count: int) -> str:
    return f"is {count} message{'' if count == 1 else 's'} behind" if count else "has everything"


def _reader(pid: int | None) -> str:
    return "without a reader" if pid is None else f"read by process {pid}"


def state_style(state: str) -> str:
    """Give the colour of a state."""
    if state in ("ready", "done"):
        return "green"
    if state in ("failed", "stopped"):
        return "red"
    return "bright_black" if state in ("idle", "paused") else "yellow"
