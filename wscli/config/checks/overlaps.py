"""Templates of channel names that could both mean one channel, such as ``rooms/{id}`` and ``{kind}/lobby``."""

from __future__ import annotations

import re
from collections import defaultdict

__all__ = ["Overlaps", "segments_overlap"]

_PARAMETER = re.compile(r"\{[^{}]*\}")
_ANY = "\0"
"""Stands for a parameter: one character or more, none of them a slash."""
_MORE = "\1"
"""Stands for any number of characters."""


def segments_overlap(one: str, other: str) -> bool:
    """Whether some text fits both patterns, in each of which ``_ANY`` is one character or more."""
    if _ANY not in one and _ANY not in other:
        return one == other
    shorter, longer = sorted((pattern.rpartition(_ANY)[2] for pattern in (one, other)), key=len)
    if not longer.endswith(shorter):
        return False  # by their ends alone; cheap, and enough for most pairs
    todo, seen = [(one.replace(_ANY, _ANY + _MORE), other.replace(_ANY, _ANY + _MORE))], set()
    while todo:
        rests = rest, rest_other = todo.pop()
        if rest == rest_other:
            return True
        if rests in seen:
            continue
        seen.add(rests)
        if rest[:1] == _MORE:  # it ends here, or takes one more
            todo += [(rest[1:], rest_other), (rest, rest_other[1:])]
        elif rest_other[:1] == _MORE:
            todo += [(rest, rest_other[1:]), (rest[1:], rest_other)]
        elif rest and rest_other and (rest[0] == rest_other[0] or _ANY in (rest[0], rest_other[0])):
            todo.append((rest[1:], rest_other[1:]))
    return False


class Overlaps:
    """The templates seen so far."""

    def __init__(self) -> None:
        self._names: dict[int, list[tuple[str, list[str]]]] = defaultdict(list)
        """Names and their segments, by the number of segments."""

    def add(self, name: str) -> str | None:
        """Add a template; give an earlier one that could have a channel's name in common with it."""
        segments = _PARAMETER.sub(_ANY, name).split("/")
        others = self._names[len(segments)]
        earlier = next((other for other, theirs in others if all(map(segments_overlap, segments, theirs))), None)
        others.append((name, segments))
        return earlier
