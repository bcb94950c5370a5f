"""Templates of channel names that could both mean one channel, such as ``rooms/{id}`` and ``{kind}/lobby``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

__all__ = ["Overlaps"]

_PARAMETER = re.compile(r"\{[^{}]*\}")
_ANY = "\0"
"""Stands for a parameter: one character or more, none of them a slash."""


def segments_overlap(one: str, other: str) -> bool:
    """Whether some text fits both patterns, in each of which ``_ANY`` is one character or more.

    Both are walked at once; a place is a pair of positions, and inside a parameter that has begun.
    """
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


@dataclass(slots=True)
class _Level:
    name: str | None = None
    literal: dict[str, _Level] = field(default_factory=dict)
    pattern: dict[str, tuple[str, str, _Level]] = field(default_factory=dict)
    """By segment: what stands before its first parameter and after its last, and the level below."""

    def fitting(self, segment: str) -> Iterator[_Level]:
        start, end = _ends(segment)
        if _ANY not in segment:
            if segment in self.literal:
                yield self.literal[segment]
        else:
            for text, level in self.literal.items():
                if text.startswith(start) and text.endswith(end) and segments_overlap(segment, text):
                    yield level
        for text, (begins, ends, level) in self.pattern.items():
            # Enough for nearly all: a thousand templates are half a million pairs.
            if not (start.startswith(begins) or begins.startswith(start)):
                continue
            if (end.endswith(ends) or ends.endswith(end)) and segments_overlap(segment, text):
                yield level

    def below(self, segment: str) -> _Level:
        if _ANY not in segment:
            return self.literal.setdefault(segment, _Level())
        return self.pattern.setdefault(segment, (*_ends(segment), _Level()))[2]


def _ends(segment: str) -> tuple[str, str]:
    return segment.partition(_ANY)[0], segment.rpartition(_ANY)[2]


class Overlaps:
    """The templates seen so far, by segment, so that a thousand of them are compared in no time."""

    def __init__(self) -> None:
        self._root = _Level()

    def add(self, name: str) -> str | None:
        """Add a template; give an earlier one that some channel's name would fit as well."""
        segments = _PARAMETER.sub(_ANY, name).split("/")
        levels = [self._root]
        for segment in segments:
            levels = [below for level in levels for below in level.fitting(segment)]
        earlier = next((level.name for level in levels if level.name is not None), None)
        level = self._root
        for segment in segments:
            level = level.below(segment)
        level.name = level.name or name
        return earlier
