"""What a history is to its readers, whatever keeps it: memory now, SQLite and NATS JetStream later.

``read`` never waits. An engine that has to fetch what was asked for answers None, as if nothing were there yet, and
calls its subscribers once it has it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from wscli.history.encode import EncodedCache
from wscli.history.records import Batch, Cursor, Gap, Position, Start

__all__ = ["Found", "History"]


class Found(NamedTuple):
    """What comes next, and the cursor behind it."""

    item: Batch | Gap
    cursor: Cursor


class History(Protocol):
    """Numbered messages and gaps, the oldest of them dropped."""

    @property
    def epoch(self) -> str:
        """The name of this numbering: numbers of another epoch mean other messages."""

    @property
    def first(self) -> int:
        """The number of the oldest message that is kept; ``last + 1`` when none is."""

    @property
    def last(self) -> int:
        """The number of the newest message; 0 before the first."""

    @property
    def encoded(self) -> EncodedCache:
        """What its readers share: batches as they go out."""

    def seek_start(self) -> Start:
        """Begin with the oldest that is kept."""

    def seek_last(self, count: int) -> Start:
        """Begin ``count`` messages before the end; 0 begins with the next to come."""

    def seek_since(self, ts: float) -> Start:
        """Begin with the first message at or after a wall-clock time."""

    def seek_after(self, position: Position) -> Start:
        """Begin with the message after a position."""

    def read(self, cursor: Cursor) -> Found | None:
        """Give what comes next: a gap, or (the rest of) a batch; None when there is nothing yet."""

    def lag(self, cursor: Cursor) -> float:
        """Say how much of the window lies between a cursor and the end: 0 at the end, 1 where it would lose some."""

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Have a function called whenever there is more to read; calling what is returned ends that."""
