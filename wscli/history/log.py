"""The interface of a log back end: what keeps a history beyond the process (`sqlite/` on this machine).

`WriteBehindHistory` numbers messages, queues them and gives them to readers; a back end stores batches, fences its one
writer and reads ranges back. Each call but ``end`` may take any time: readers wait meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from wscli.errors import WscliError
from wscli.history.gaps import NumberedGap
from wscli.history.limits import HistoryLimits
from wscli.history.records import Batch, Cursor, GapRecord

__all__ = ["Commit", "ConsumerPosition", "LogBackend", "LogFenced", "LogSegment", "LogState", "WriteBatch"]


class LogFenced(WscliError):
    """The append was refused because another owner writes the log, or it is gone; it must be opened again."""


class ConsumerPosition(NamedTuple):
    """The place of a named consumer, and when it got there: seconds since the epoch."""

    cursor: Cursor
    moved_at: float


class Commit(NamedTuple):
    """What the log holds after a commit."""

    last: int
    """Number of the newest message; 0 before the first."""
    first: int | None
    """Number of the oldest message; None if it holds none."""
    dropped_at: float | None
    """Latest timestamp of the messages that retention dropped; None if it dropped none."""


class LogState(NamedTuple):
    """What a log held when it was opened."""

    epoch: str
    """Name of the numbering from now on."""
    commit: Commit = Commit(0, None, None)
    end: int = 0
    """Bytes of all messages ever appended."""
    horizon: float = 0.0
    """Latest timestamp of any message."""
    written_at: float | None = None
    """Time of the last write before, by the wall clock; None for an empty log."""
    gaps: Sequence[tuple[int, GapRecord]] = ()
    gap_count: int = 0
    """Number of gaps ever appended."""
    past: Mapping[str, int] = {}
    """Earlier epochs, each with the number of its last committed message."""
    consumers: Mapping[str, ConsumerPosition] = {}
    seen: Sequence[bytes] = ()
    """The last digests of `SeenDigests`, oldest first."""
    kept: Mapping[str, Any] = {}
    """What `History.keep` was given last."""
    damage: str | None = None
    """What could not be read and was left out."""


class WriteBatch(NamedTuple):
    """The content of one commit."""

    batches: Sequence[Batch] = ()
    gaps: Sequence[NumberedGap] = ()
    consumers: Mapping[str, ConsumerPosition | None] = {}
    """Positions by name; None forgets the consumer."""
    seen: Sequence[bytes] = ()
    """Digests of `SeenDigests`, in the order in which they were seen last."""
    kept: str | None = None
    """What `History.keep` was given last, as JSON; None: as it was."""


class LogSegment(NamedTuple):
    """Batches, and gaps ``disk`` for the numbers between them that the log does not have."""

    items: Sequence[Batch | GapRecord]
    damage: str | None = None
    """What is wrong with the log there."""


class LogBackend(Protocol):
    """A durable log of one channel."""

    name: str
    """For the names of tasks."""
    limits: HistoryLimits
    """What retention keeps; applied by each append, of an empty batch as well."""

    @property
    def state(self) -> LogState | None:
        """What it held when it was opened; None until then."""

    def intact(self) -> bool:
        """Whether an append may succeed; called every few seconds, it must not block."""

    async def open(self) -> LogState:
        """Become the owner, also after `LogFenced`.

        Raises:
            WscliError: it cannot be opened now; the caller tries again.
        """

    async def append(self, batch: WriteBatch, now: float) -> Commit:
        """Commit a batch durably, and apply the retention; what was committed before is passed over.

        Raises:
            LogFenced: another owner has the log.
            WscliError: nothing was committed; the caller tries again.
        """

    async def read(self, number: int, upto: int) -> LogSegment:
        """Read committed messages from a number on; at least one item where ``number <= upto``.

        Raises:
            WscliError: it cannot be read now; the caller tries again.
        """

    async def find(self, ts: float) -> int | None:
        """Return the first number at or after a time; None if there is none; 0 if the log cannot say."""

    def end(self, rest: WriteBatch, now: float) -> Commit | None:
        """Commit the rest and close; None where that goes on after this returned.

        Raises:
            WscliError: the rest was not committed.
        """

    async def close(self, rest: WriteBatch, now: float) -> Commit:
        """Commit the rest and close.

        Raises:
            WscliError: the rest was not committed.
        """
