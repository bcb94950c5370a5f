"""Numbers, times and states as people read them, in a few words or in a line."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wscli.control.text import escape

if TYPE_CHECKING:
    from wscli.control.messages import Status

__all__ = [
    "change_line",
    "consumer_lines",
    "counted",
    "duration",
    "next_step",
    "problem_lines",
    "size",
    "state_style",
    "status_line",
]

_SIZES = ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
_NAMED = 3
"""How many channels that are not ready are named."""


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


def counted(count: int, noun: str) -> str:
    """Write a number of things: ``1 message``, ``3 messages``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


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
    if action in ("retry", "dial", "subscribe"):
        attempt = status["attempt"] + (action != "dial")  # while it waits, those that were made are counted
        left = 0.0 if at is None else at - (time.time() if now is None else now)
        does = "subscribes again" if action == "subscribe" else "dials"
        words = f"{does} in {duration(left)}" if left > 0 else f"{does} now"
        return f"{words}; attempt {attempt}" if attempt > 1 else words
    why = f"`wscli doctor {channel}` says more; " if status["reason"]["code"].startswith("session:") else ""
    return {
        "network": "dials when there is a network",
        "use": "opens when it is used",
        "resume": f"`wscli resume {channel}`",
        "start": f"{why}`wscli start {channel}`",
        "none": "",
    }.get(action, str(action))


def problem_lines(states: Sequence[Status], own: Sequence[str] = ()) -> list[str]:
    """List what is wrong beside the states: the manager's own, then each channel's after its name."""
    return [*own, *(f"{one['channel']}: {text}" for one in states for text in one.get("problems", ()))]


def consumer_lines(states: Sequence[Status]) -> list[str]:
    """Say of each named consumer, after its channel's name, how far behind it is and who reads by its name."""
    lines = []
    for one in states:
        for name, lag in one.get("consumers", {}).items():
            behind = f"is {counted(lag['lag'], 'message')} behind" if lag["lag"] else "has everything"
            reader = "without a reader" if lag["held_by"] is None else f"read by process {lag['held_by']}"
            lines.append(f"{one['channel']}: {name} {behind}; {reader}")
    return lines


def state_style(state: str) -> str:
    """Give the colour of a state."""
    if state in ("ready", "done"):
        return "green"
    if state in ("failed", "stopped"):
        return "red"
    return "bright_black" if state in ("idle", "paused") else "yellow"


def status_line(instance: str, states: Sequence[Status], own: Sequence[str] = ()) -> str:
    """Say how many are ready, and which are not: ``app: 3/4 ready; calls waiting, dials in 14s``.

    Problems, the manager's ``own`` and the channels', are counted at its end: ``; 1 problem``.
    """
    idle = sum(one["state"] == "idle" for one in states)
    ready = sum(one["state"] == "ready" for one in states)
    line = f"{instance}: {ready}/{len(states) - idle} ready" + (f", {idle} idle" if idle else "")
    others = [one for one in states if one["state"] not in ("ready", "idle")]
    named = [_briefly(one) for one in others[:_NAMED]]
    if len(others) > _NAMED:
        named.append(f"{len(others) - _NAMED} more")
    if wrong := len(problem_lines(states, own)):
        named.append(counted(wrong, "problem"))
    return escape("; ".join([line, *named]))


def _briefly(one: Status) -> str:
    step = next_step(one).partition(";")[0] if one["state"] in ("waiting", "connecting") else ""
    return f"{one['channel']} {one['state']}" + (f", {step}" if step else "")


def change_line(one: Status, at: float | None = None) -> str:
    """Say one state, with its time: ``10:00:00 calls waiting: HTTP 503; dials in 14s; attempt 2``.

    The channel's problems follow: ``; problem: on_message: exited with 3``.
    The time is ``at``, without it that since when the state lasts: its reason may have changed later.
    """
    clock = time.strftime("%H:%M:%S", time.localtime(one["since"] if at is None else at))
    step = next_step(one)
    text = f"{clock} {one['channel']} {one['state']}: {one['reason']['text']}"
    wrong = [f"problem: {problem}" for problem in one.get("problems", ())]
    return escape("; ".join([text, *([step] if step else []), *wrong])) + "\n"
