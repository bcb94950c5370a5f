"""What is wrong with one hook, as one of its channel's problems."""

from __future__ import annotations

from wscli.problems import Problems
from wscli.timing import Schedule, Timer

__all__ = ["APART", "Faults"]

APART = 1.0
"""Seconds between two statements: a hook may fail a hundred times a second, each time with other words."""


class Faults:
    """The present faults of a hook, by kind, stated together under its name.

    The first is stated at once; what follows within a second is stated at its end, as it stands by then.
    """

    def __init__(self, hook: str, problems: Problems, schedule: Schedule) -> None:
        self._hook = hook
        self._problems = problems
        self._schedule = schedule
        self._texts: dict[str, str] = {}
        self._stated = ""
        self._timer: Timer | None = None

    def state(self, kind: str, text: str) -> None:
        """There is one; it takes the place of the last one of its kind."""
        self._texts[kind] = text
        self._changed()

    def mended(self, kind: str) -> None:
        """There is none of that kind any more."""
        if self._texts.pop(kind, None) is not None:
            self._changed()

    def clear(self) -> None:
        """There is none, and nothing is to be waited for: the hook is another, or gone."""
        self._texts.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._say()

    def _changed(self) -> None:
        if self._timer is None and self._say():
            self._timer = self._schedule(APART, self._due)

    def _due(self) -> None:
        self._timer = None
        self._changed()

    def _say(self) -> bool:
        text = "; ".join(self._texts.values())
        if text == self._stated:
            return False
        self._stated = text
        if text:
            self._problems.state(self._hook, text)
        else:
            self._problems.mended(self._hook)
        return True
