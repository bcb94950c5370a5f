"""The records of a history (batches and gaps), and places in it (positions and cursors)."""

from __future__ import annotations

import re
import secrets
from typing import NamedTuple

__all__ = ["BINARY", "TEXT", "Batch", "Cursor", "GapRecord", "Position", "ReadResult", "Start", "new_epoch"]

TEXT = ord("t")
BINARY = ord("b")

_EPOCH = "abcdefghijklmnopqrstuvwxyz0123456789"
_POSITION = re.compile(r"([a-z0-9]{4,32}):([0-9]{1,19})")
_SHOWN = 80
"""Characters of an invalid cursor that an error quotes."""


class Batch:
    """Messages that arrived together, numbered from ``first`` to ``last`` within ``epoch``. It never changes.

    ``kinds`` is None when all are text, else one byte a message, ``TEXT`` or ``BINARY``. ``ts`` is the wall clock,
    which may step back; ``horizon`` is the latest it had shown by then. ``size`` counts the bytes of the messages,
    ``offset`` those of all messages before them. ``backfill`` marks messages that were requested after a gap.
    """

    __slots__ = ("backfill", "epoch", "first", "horizon", "kinds", "last", "offset", "payloads", "size", "ts")

    def __init__(
        self,
        first: int,
        ts: float,
        payloads: list[bytes],
        kinds: bytes | None,
        *,
        epoch: str,
        size: int | None = None,
        offset: int = 0,
        horizon: float = 0.0,
        backfill: bool = False,
    ) -> None:
        self.epoch = epoch
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
        return f"<Batch {self.epoch}:{self.first}..{self.last}, {self.size} bytes>"

    def part(self, first: int, last: int) -> Batch:
        """Return the messages from one number to another, both included."""
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
            epoch=self.epoch,
            offset=self.offset + before,
            horizon=self.horizon,
            backfill=self.backfill,
        )

    def renumbered(self, epoch: str, first: int, offset: int, horizon: float) -> Batch:
        """Return the same messages under the numbers of another epoch."""
        return Batch(
            first,
            self.ts,
            self.payloads,
            self.kinds,
            epoch=epoch,
            size=self.size,
            offset=offset,
            horizon=max(self.horizon, horizon),
            backfill=self.backfill,
        )


class GapRecord(NamedTuple):
    """Messages may be, or are, missing after a sequence number."""

    after: int
    reason: str
    """``outage``, ``paused``, ``lagged``, ``truncated``, ``reset`` or ``disk``."""
    start: float | None = None
    """Start and end by the wall clock, where known."""
    end: float | None = None
    missed: int | None = None
    """Number of missing messages; None where unknown."""
    backfilled: int | None = None
    """Number of requested messages that follow and fill it; None where it was not filled, or not completely."""


class Position(NamedTuple):
    """A message of a history, as scripts know it: ``k3f9:17``. It is valid for as long as its epoch."""

    epoch: str
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.seq}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """Read ``k3f9:17``.

        Raises:
            ValueError: the text is not a position.
        """
        found = _POSITION.fullmatch(text)
        if not found:
            raise ValueError(f"{text[:_SHOWN]!r} is not a cursor")
        return cls(found[1], int(found[2]))


class Cursor(NamedTuple):
    """A reader's place: behind it are the epoch's messages up to ``seq``, and the gaps up to the ``gaps``-th.

    Gaps are counted, since they take no sequence number and several may follow one message.
    """

    seq: int
    gaps: int
    epoch: str


class ReadResult(NamedTuple):
    """The next item of a history, and the cursor behind it."""

    item: Batch | GapRecord
    cursor: Cursor


class Start(NamedTuple):
    """Where a reader begins, and the gap that it is told of first."""

    cursor: Cursor
    gap: GapRecord | None = None


def new_epoch() -> str:
    """Draw an epoch; two are equal with a probability of one in two thousand million."""
    return "".join(secrets.choice(_EPOCH) for _ in range(6))
