"""The gaps of a history: in order, counted from 1, bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from wscli.history.records import Gap
from wscli.history.shelf import Shelf

__all__ = ["GAPS_AFTER_ONE", "Gaps", "Numbered"]

GAPS_AFTER_ONE = 64
"""Gaps kept after one message; a server that comes and goes without a word adds to the last one from then on."""


class Numbered(NamedTuple):
    """A gap that was added, its number, and the number of an earlier one that it now stands for as well."""

    number: int
    gap: Gap
    instead_of: int | None = None


class Gaps:
    """Gaps under rising numbers. There are at most ``GAPS_AFTER_ONE`` for each message that is kept, and one more.

    Args:
        kept: those of an earlier run, in order.
        count: how many there ever were by then.

    """

    def __init__(self, kept: Iterable[tuple[int, Gap]] = (), count: int = 0) -> None:
        self.count = count
        """How many there ever were."""
        self.by_reason: Counter[str] = Counter()
        self._kept: Shelf[Gap] = Shelf()
        self._after_last = 0
        """How many are kept after the same message as the last one."""
        for number, gap in kept:
            self._after_last = self._after_last + 1 if len(self._kept) and self._kept.last().after == gap.after else 1
            self._kept.put(number, gap)

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, gap: Gap) -> Numbered:
        """Add one, after the same message as the last one or a later one."""
        instead_of = None
        self.count += 1
        self.by_reason[gap.reason] += 1
        last = self._kept.last() if len(self._kept) else None
        if last is None or last.after != gap.after:
            self._after_last = 1
        elif self._after_last < GAPS_AFTER_ONE:
            self._after_last += 1
        else:
            instead_of = self._kept.last_key()
            gap = _merged(self._kept.drop_last(), gap)
        self._kept.put(self.count, gap)
        return Numbered(self.count, gap, instead_of)

    def forget_before(self, seq: int) -> None:
        """Drop those after a message before ``seq``."""
        while len(self._kept) and self._kept.first().after < seq:
            self._kept.drop_first()

    def following(self, number: int) -> tuple[int, Gap] | None:
        """Give the first one above a number, with its number."""
        return self._kept.following(number)

    def before(self, seq: int, ts: float | None = None) -> int:
        """Give the number up to which gaps stand before message ``seq`` or, after it, ended before ``ts``."""
        found = self._kept.first_where(lambda gap: gap.after, seq)
        while ts is not None and found is not None and found[1].after == seq and _ended(found[1]) < ts:
            found = self._kept.following(found[0])
        return self.count if found is None else found[0] - 1


def _ended(gap: Gap) -> float:
    known = gap.end if gap.end is not None else gap.start
    return float("inf") if known is None else known


def _merged(one: Gap, other: Gap) -> Gap:
    missed = None if one.missed is None or other.missed is None else one.missed + other.missed
    filled = None if one.backfilled is None or other.backfilled is None else one.backfilled + other.backfilled
    return other._replace(start=one.start if one.start is not None else other.start, missed=missed, backfilled=filled)
