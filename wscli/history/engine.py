"""What a history is to its readers, whatever keeps it: memory and SQLite now, NATS JetStream later.

``read`` never waits. An engine that has to fetch what was asked for answers None, as if nothing were there yet, and
calls its subscribers once it has it. An engine that keeps nothing beyond its process has no named consumers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from wscli.history.encode import EncodedCache
from wscli.history.limits import HistoryLimits
from wscli.history.records import Batch, Cursor, Gap, Position, Start

__all__ = ["Consumer", "Consumers", "Engine", "Found", "History", "Lease"]


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

    @property
    def consumers(self) -> Consumers | None:
        """Its named consumers; None where it keeps nothing beyond its process."""

    def seek_start(self) -> Start:
        """Begin with the oldest that is kept."""

    def seek_last(self, count: int) -> Start:
        """Begin ``count`` messages before the end; 0 begins with the next to come."""

    async def seek_since(self, ts: float) -> Start:
        """Begin with the first message at or after a wall-clock time."""

    def seek_after(self, position: Position) -> Start:
        """Begin with the message after a position."""

    def read(self, cursor: Cursor) -> Found | None:
        """Give what comes next: a gap, or (the rest of) a batch; None when there is nothing yet."""

    def lag(self, cursor: Cursor) -> float:
        """Say how much of the window lies between a cursor and the end: 0 at the end, 1 where it would lose some."""

    def subscribe(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Have a function called whenever there is more to read; calling what is returned ends that."""


class Engine(History, Protocol):
    """What a history is to its channel, beside that."""

    @property
    def ended_at(self) -> float | None:
        """When an earlier run wrote to it last, on the wall clock; None where it goes on from nothing."""

    @property
    def gaps(self) -> dict[str, int]:
        """How many gaps were recorded in this run, by reason."""

    @property
    def committed(self) -> int | None:
        """The number of the last message that a crash would leave; None where it would leave none."""

    def append(self, payloads: list[bytes], kinds: bytes | None, *, backfill: bool = False) -> int:
        """Add messages that arrived together, and give their bytes; the list is the history's from now on.

        Args:
            payloads: the messages; those of text are UTF-8.
            kinds: None when all are text, else ``t`` or ``b`` for each.
            backfill: whether they were asked for after a gap, and did not come over the channel.

        """

    def record_gap(
        self,
        reason: str,
        *,
        start: float | None = None,
        end: float | None = None,
        missed: int | None = None,
        backfilled: int | None = None,
    ) -> None:
        """Say that messages may be, or are, missing after the newest one. Times are the wall clock's, in seconds."""

    def limit(self, limits: HistoryLimits) -> None:
        """Keep more or less from now on."""

    def overflow(self) -> None:
        """Keep up with what comes, though it cannot be kept as long as it should, until it has caught up."""

    def end(self) -> None:
        """Keep what came, and be done at once."""

    async def close(self) -> None:
        """Keep what came, and be done, without holding up the loop."""


class Consumer(NamedTuple):
    """A named consumer, as ``consumer ls`` shows it."""

    name: str
    position: Position
    """Of the last message that it is done with; ``seq`` 0 before the first."""
    lag: int
    """Messages behind the newest committed one."""
    held_by: int | None
    """The process that reads by this name now."""
    moved_at: float | None
    """When its position moved last: seconds since the epoch."""


class Lease(Protocol):
    """The right of one reader to move a consumer's position, until ``release``."""

    @property
    def start(self) -> Start:
        """Where it begins."""

    @property
    def committed(self) -> int:
        """The number of the last message that it may be given: what comes after it may yet be lost with the process."""

    def move(self, cursor: Cursor) -> None:
        """Take the position on; one that lies behind the present one changes nothing."""

    async def confirmed(self) -> None:
        """Return once the last move would survive a crash.

        Raises:
            WscliError: it cannot be kept: the disk is full, say.

        """

    def release(self) -> None:
        """Let another reader have the name."""


class Consumers(Protocol):
    """The named consumers of one history."""

    def take(self, name: str, holder: int, begin: Start | None = None, *, claim: Position | None = None) -> Lease:
        """Read by a name.

        Args:
            name: the consumer's; one of that name that is not known yet is made.
            holder: the process that reads.
            begin: where a new one begins; None: with the oldest message that is kept.
            claim: what the reader is already done with, where that is further than what was confirmed.

        Raises:
            UsageError: the name cannot be one.
            WscliError: another process reads by that name, or there are too many.

        """

    def list(self) -> list[Consumer]:
        """Give all, by name."""

    async def reset(self, name: str, start: Start) -> None:
        """Have one begin elsewhere.

        Raises:
            UsageError: the name cannot be one.
            WscliError: there is none of that name, or somebody reads by it now.

        """

    async def remove(self, name: str) -> None:
        """Forget one.

        Raises:
            UsageError: the name cannot be one.
            WscliError: there is none of that name, or somebody reads by it now.

        """
