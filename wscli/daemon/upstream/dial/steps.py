"""The session's steps of one attempt, for ``doctor``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from wscli.daemon.upstream.dial.scrub import scrubbed_answer
from wscli.session.actions import Stepped

__all__ = ["StepTrace", "SteppedAt"]


class SteppedAt(NamedTuple):
    """A step that is over, and when."""

    at: float
    """Wall-clock time of its end."""
    step: Stepped


class StepTrace:
    """Keeps the last time of each step: a heartbeat repeats its steps without end."""

    __slots__ = ("_steps",)

    def __init__(self) -> None:
        self._steps: dict[tuple[str | None, str], SteppedAt] = {}
        """By the name of the channel whose step it is, None: the upstream's; and by its place."""

    def record(self, step: Stepped, at: float) -> None:
        """Note that a step is over, at a wall-clock time."""
        key = (None if step.channel is None else step.channel.name, step.place)
        self._steps.pop(key, None)  # so that the steps stand in the order in which they ended
        self._steps[key] = SteppedAt(at, step)

    def shown(self, channel: str, secrets: Sequence[str]) -> list[SteppedAt]:
        """Give the upstream's steps and those of a channel, in the order in which they ended, without secrets."""
        return [
            SteppedAt(at, replace(step, answer=scrubbed_answer(step.answer, secrets)))
            for (of, _), (at, step) in self._steps.items()
            if of in (None, channel)
        ]

    def forget(self, channel: str) -> None:
        """Forget the steps of a channel that was removed."""
        for key in [key for key in self._steps if key[0] == channel]:
            del self._steps[key]
