"""What a hook reports: counters, and problems of its channel."""

from __future__ import annotations

from dataclasses import dataclass

from wscli.problems import Problems
from wscli.timing import OneShot, Schedule

__all__ = ["HookCounts", "HookReport"]

PROBLEMS_APART = 1.0
"""Seconds between two changes of the text: a hook may fail a hundred times a second, each time differently."""


@dataclass(slots=True)
class HookCounts:
    """A hook's counters since it was declared, by the names of ``stats --json``; only ``running`` falls."""

    runs: int = 0
    failures: int = 0
    """Failed runs, and messages that the jq expression failed on."""
    lagged: int = 0
    """Events that were dropped or missed because the hook is too slow."""
    not_json: int = 0
    running: int = 0


class HookReport:
    """A hook's counters, and its present problems by kind, stated as one text under its name.

    The first problem is stated at once; changes within ``PROBLEMS_APART`` seconds are stated together after them.
    """

    def __init__(self, hook: str, problems: Problems, schedule: Schedule) -> None:
        self.counts = HookCounts()
        self._hook = hook
        self._problems = problems
        self._texts: dict[str, str] = {}
        self._stated = ""
        self._timer = OneShot(schedule)

    def state(self, kind: str, text: str) -> None:
        """State a problem in place of an earlier one of its kind."""
        self._texts[kind] = text
        self._changed()

    def mended(self, kind: str) -> None:
        """Withdraw the problem of a kind."""
        if self._texts.pop(kind, None) is not None:
            self._changed()

    def clear(self) -> None:
        """Withdraw all problems, at once."""
        self._texts.clear()
        self._timer.cancel()
        self._publish()

    def _changed(self) -> None:
        if not self._timer.pending and self._publish():
            self._timer.start(PROBLEMS_APART, self._changed)

    def _publish(self) -> bool:
        text = "; ".join(self._texts.values())
        if text == self._stated:
            return False
        self._stated = text
        if text:
            self._problems.state(self._hook, text)
        else:
            self._problems.mended(self._hook)
        return True
