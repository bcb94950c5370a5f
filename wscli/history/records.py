"""What a history is made of: batches and gaps; and where one stands in it: positions and cursors."""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["BINARY", "TEXT", "Batch", "Cursor", "Gap", "Position", "Start"]

TEXT = ord("t")
BINARY = ord("b")

_POSITION = re.compile(r"([a-z0-9]{4,32}):([0-9]{1,19})")
_SHOWN = 80
"""Characters of what is no cursor."""


class Batch:
    """Messages that arrived together, numbered from ``first`` to ``last``. It never changes.

    ``kinds`` is None when all are text, else one byte a message, ``TEXT`` or ``BINARY``. ``ts`` is the wall clock,
    which may step back; ``horizon`` is the latest it had shown by then. ``size`` counts the bytes of the messages,
    ``offset`` those of all messages before them. ``backfill`` says that they were asked for after a gap, and
    did not come over the channel.
    """

    __slots__ = ("backfill", "first", "horizon", "kinds", "last", "offset", "payloads", "size", "ts")

    def __init__(
        self,
        first: int,
        ts: float,
        payloads: list[bytes],
        kinds: bytes | None,
        *,
        size: int | None = None,
        offset: int = 0,
        horizon: float = 0.0,
        backfill: bool = False,
    ) -> None:
        self.first = first
        self.last = first + len(payloads) - 1
        self.ts = ts
        self.payloads = payloads
        self.kinds = kinds
        self.size = sum(map(len, payloads)) if size is None else size
        self.offset = offset
        self.horizon = max(ts, horizon)
        self.backfill = backfill

    def __len__(self) -> int:
        return len(self.payloads)

    def __repr__(self) -> str:
        return f"<Batch {self.first}..{self.last}, {self.size} bytes>"

    def part(self, first: int, last: int) -> Batch:
        """Give the messages from one number to another, both included."""
        if first <= self.first and last >= self.last:
            return self
        start, stop = max(first, self.first) - self.first, min(last, self.last) - self.first + 1
        kinds = None if self.kinds is None else self.kinds[start:stop]
        before = sum(map(len, self.payloads[:start]))
        return Batch(
            self.first + start,
            self.ts,
            self.payloads[start:stop],
            kinds,
            offset=self.offset + before,
            horizon=self.horizon,
            backfill=self.backfill,
        )


class Gap(NamedTuple):
    """Messages may be, or are, missing after a sequence number."""

    after: int
    reason: str
    """``outage``, ``paused``, ``lagged``, ``truncated``, ``reset`` or ``disk``."""
    start: float | None = None
    """When it began and ended, by the wall clock, where that is known."""
    end: float | None = None
    missed: int | None = None
    """How many; None where nobody can know."""
    backfilled: int | None = None
    """How many messages were asked for, follow it and fill it; None where it was not filled, or not wholly by then."""


class Position(NamedTuple):
    """A message of a history, as scripts know it: ``k3f9:17``. It stays good for as long as its epoch lasts."""

    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """Read ``k3f9:17``.

        Raises:
            ValueError: it is no position.

        """
        found = _POSITION.fullmatch(text)
        if not found:
            raise ValueError(f"{text[:_SHOWN]!r} is not a cursor")
        return cls(found[1], int(found[2]))


class Cursor(NamedTuple):
    """How far a reader is: behind it are all messages up to ``seq``, and the history's gaps up to the ``gaps``-th.

    Gaps are counted, since they take no sequence number and several may stand after one message.
    """

    seq: int
    gaps: int


class Start(NamedTuple):
    """Where a reader begins, and the gap that it is to be told of first."""

    cursor: Cursor
    gap: Gap | None = None
