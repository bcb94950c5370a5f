"""The numbers of this run that the file could not take."""

from __future__ import annotations

from bisect import bisect_right

__all__ = ["MOST", "Holes"]

MOST = 256
"""Holes that are told apart; older ones are found by reading the file."""


class Holes:
    """Ranges of numbers, rising."""

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def add(self, first: int, last: int) -> bool:
        """Add a range behind all others; say whether it begins another hole."""
        if self._lasts and self._lasts[-1] == first - 1:
            self._lasts[-1] = last
            return False
        self._firsts.append(first)
        self._lasts.append(last)
        if len(self._firsts) > MOST:
            del self._firsts[0], self._lasts[0]
        return True

    def ending(self, number: int) -> int | None:
        """Give the last number of the hole that a number lies in."""
        index = bisect_right(self._firsts, number) - 1
        return self._lasts[index] if index >= 0 and self._lasts[index] >= number else None
