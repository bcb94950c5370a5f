"""Templates of channel names that could both mean one channel, such as ``rooms/{id}`` and ``{kind}/lobby``."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

__all__ = ["Overlaps", "segments_overlap"]

_PARAMETER = re.compile(r"\{[^{}]*\}")
_ANY = "\0"
"""Stands for a parameter: one character or more, none of them a slash."""


def segments_overlap(one: str, other: str) -> bool:
    """Whether some text fits both patterns, in each of which ``_ANY`` is one character or more."""
    if one == other or (_ANY not in one and _ANY not in other):
        return one == other
    return _ends_fit(one, other) and _walk(one, other)


def _ends_fit(one: str, other: str) -> bool:
    """Compare what is before the first parameter and after the last; cheap, and enough for most pairs."""
    start, start_other = one.partition(_ANY)[0], other.partition(_ANY)[0]
    end, end_other = one.rpartition(_ANY)[2], other.rpartition(_ANY)[2]
    starts_fit = start.startswith(start_other) or start_other.startswith(start)
    return starts_fit and (end.endswith(end_other) or end_other.endswith(end))


def _walk(one: str, other: str) -> bool:
    """Walk both at once; a place is a pair of positions, and whether each is inside a parameter that has begun."""
    todo, seen = [(0, 0, False, False)], set()
    while todo:
        place = todo.pop()
        if place in seen:
            continue
        seen.add(place)
        at, to, inside_one, inside_other = place
        if at == len(one) and to == len(other):
            return True
        todo += _next_places(one, other, at, to)
        if inside_one:  # a parameter that has its one character may end
            todo.append((at + 1, to, False, inside_other))
        if inside_other:
            todo.append((at, to + 1, inside_one, False))
    return False


def _next_places(one: str, other: str, at: int, to: int) -> Iterator[tuple[int, int, bool, bool]]:
    """Let both take one character."""
    if at == len(one) or to == len(other):
        return
    any_one, any_other = one[at] == _ANY, other[to] == _ANY
    if any_one or any_other:
        yield at + (not any_one), to + (not any_other), any_one, any_other
    elif one[at] == other[to]:
        yield at + 1, to + 1, False, False


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
