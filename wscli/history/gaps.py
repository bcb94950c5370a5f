"""The gaps of a history: in order, counted from 1, bounded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from wscli.history.keyed_queue import KeyedQueue
from wscli.history.records import GapRecord

__all__ = ["GAPS_AFTER_ONE", "Gaps", "NumberedGap"]

GAPS_AFTER_ONE = 64
"""Gaps kept after one message; further ones are merged into the last (a server that never sends a message)."""


class NumberedGap(NamedTuple):
    """An added gap, its number, and the number of an earlier one that was merged into it."""

    number: int
    gap: GapRecord
    instead_of: int | None = None


class Gaps:
    """Gaps under rising numbers: at most ``GAPS_AFTER_ONE`` for each kept message, and one more.

    Args:
        kept: the gaps of an earlier run, in order.
        count: number of gaps ever added by then.
    """

    def __init__(self, kept: Iterable[tuple[int, GapRecord]] = (), count: int = 0) -> None:
        self.count = count
        """Number of gaps ever added."""
        self.by_reason: Counter[str] = Counter()
        self._kept: KeyedQueue[GapRecord] = KeyedQueue()
        self._after_last = 0
        """Number of kept gaps after the same message as the last one."""
        for number, gap in kept:
            self._after_last = self._after_last + 1 if len(self._kept) and self._kept.last().after == gap.after else 1
            self._kept.put(number, gap)

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, gap: GapRecord) -> NumberedGap:
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
        return NumberedGap(self.count, gap, instead_of)

    def forget_before(self, seq: int) -> None:
        """Drop the gaps after a message before ``seq``."""
        while len(self._kept) and self._kept.first().after < seq:
            self._kept.drop_first()

    def following(self, number: int) -> tuple[int, GapRecord] | None:
        """Return the first gap above a number, with its number."""
        return self._kept.following(number)

    def before(self, seq: int, ts: float | None = None) -> int:
        """Return the number of the last gap before message ``seq`` or, after it, ended before ``ts``."""
        found = self._kept.first_where(lambda gap: gap.after, seq)
        while ts is not None and found is not None and found[1].after == seq and _ended(found[1]) < ts:
            found = self._kept.following(found[0])
        return self.count if found is None else found[0] - 1


def _ended(gap: GapRecord) -> float:
    return next((time for time in (gap.end, gap.start) if time is not None), float("inf"))


def _merged(one: GapRecord, other: GapRecord) -> GapRecord:
    missed = None if one.missed is None or other.missed is None else one.missed + other.missed
    filled = None if one.backfilled is None or other.backfilled is None else one.backfilled + other.backfilled
    return other._replace(start=one.start if one.start is not None else other.start, missed=missed, backfilled=filled)
