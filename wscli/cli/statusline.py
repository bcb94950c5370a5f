"""The states in one line, for prompts and status bars; and one change in one line."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from wscli.cli.formatting import next_step, problem_lines
from wscli.control.escape import escape

if TYPE_CHECKING:
    from wscli.control.reports import Status

__all__ = ["change_line", "status_line"]

NAMED = 3
"""How many channels that are not ready are named."""


def status_line(instance: str, states: Sequence[Status], own: Sequence[str] = ()) -> str:
    """Say how many are ready, and which are not: ``app: 3/4 ready; calls waiting, dials in 14s``.

    Problems, the manager's ``own`` and the channels', are counted at its end: ``; 1 problem``.
    """
    idle = sum(one["state"] == "idle" for one in states)
    ready = sum(one["state"] == "ready" for one in states)
    line = f"{instance}: {ready}/{len(states) - idle} ready" + (f", {idle} idle" if idle else "")
    others = [one for one in states if one["state"] not in ("ready", "idle")]
    named = [_briefly(one) for one in others[:NAMED]]
    if len(others) > NAMED:
        named.append(f"{len(others) - NAMED} more")
    if wrong := len(problem_lines(states, own)):
        named.append("1 problem" if wrong == 1 else f"{wrong} problems")
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
