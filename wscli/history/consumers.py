"""The named consumers of a committed log: their positions, their readers, and which positions are committed."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

from wscli.clock import Clock
from wscli.errors import UsageError, WscliError
from wscli.history.log import ConsumerPosition
from wscli.history.records import Cursor, Position, Start

__all__ = ["MOST_CONSUMERS", "ConsumerInfo", "ConsumerLease", "NamedConsumers"]

MOST_CONSUMERS = 64
"""Of one history."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_SHOWN = 80
"""Characters of an invalid name that an error quotes."""


class CommittedLog(Protocol):
    """What consumers read: a history of which part is committed."""

    epoch: str

    @property
    def committed(self) -> int:
        """The number of the last committed message."""

    def seek_start(self) -> Start:
        """Begin with the oldest message."""

    def seek_after(self, position: Position) -> Start:
        """Begin with the message after a position."""


class ConsumerInfo(NamedTuple):
    """A named consumer, as ``consumer ls`` shows it."""

    name: str
    position: Position
    """The last message that it has finished; ``seq`` 0 before the first."""
    lag: int
    """Committed messages behind its position."""
    held_by: int | None
    """Process that reads by this name; None if none does."""
    moved_at: float
    """Time of its last move: seconds since the epoch."""


class NamedConsumers:
    """The consumers of one history.

    Args:
        log: what they read.
        unwritten: the positions to commit, None to forget a consumer; each is removed once it is committed.
        changed: called after each change of ``unwritten``.
        clock: the wall clock.
    """

    def __init__(
        self,
        log: CommittedLog,
        unwritten: dict[str, ConsumerPosition | None],
        changed: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._log = log
        self._positions: dict[str, ConsumerPosition] = {}
        self._readers: dict[str, int] = {}
        self._unwritten = unwritten
        self._changed = changed
        self._clock = clock
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []

    @property
    def active(self) -> bool:
        """Whether any is being read."""
        return bool(self._readers)

    def take(
        self, name: str, holder: int, begin: Start | None = None, *, claim: Position | None = None
    ) -> ConsumerLease:
        """Read by a name.

        Args:
            name: the consumer; an unknown one is created.
            holder: the process that reads.
            begin: where a new one begins; None: with the oldest message that is kept.
            claim: what the reader has finished, where that is further than what was confirmed.

        Raises:
            UsageError: the name is invalid.
            WscliError: another process reads by that name, or there are too many.
        """
        _check(name)
        if name in self._readers:
            raise WscliError(
                f"consumer {name!r} is read by process {self._readers[name]}",
                "end that process, or read by another name",
            )
        start = begin or self._log.seek_start()
        if name in self._positions:
            start = self._resumed(self._positions[name].cursor, claim)
        elif len(self._positions) >= MOST_CONSUMERS:
            raise WscliError(
                f"the channel has {MOST_CONSUMERS} consumers already", "`wscli consumer rm CHANNEL NAME` forgets one"
            )
        self._readers[name] = holder
        if name not in self._positions:
            self._put(name, start.cursor)
        return ConsumerLease(self, self._log, name, start)

    def list(self) -> list[ConsumerInfo]:
        """Return all, by name."""
        committed, epoch = self._log.committed, self._log.epoch
        return [
            ConsumerInfo(name, Position(epoch, seq), max(0, committed - seq), self._readers.get(name), moved_at)
            for name, ((seq, _, _), moved_at) in sorted(self._positions.items())
        ]

    async def reset(self, name: str, start: Start) -> None:
        """Have one begin elsewhere.

        Raises:
            UsageError: the name is invalid.
            WscliError: it is unknown, is being read, or its position cannot be committed.
        """
        self._require_free(name)
        self._put(name, start.cursor)
        await self.confirmed(name)

    async def remove(self, name: str) -> None:
        """Forget one; raises what `reset` does."""
        self._require_free(name)
        del self._positions[name]
        self._unwritten[name] = None
        self._changed()
        await self.confirmed(name)

    async def confirmed(self, name: str) -> None:
        """Wait until the last position of a consumer is committed."""
        if name not in self._unwritten:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((name, future))
        try:
            await future
        finally:
            self._waiting.remove((name, future))

    # for the history

    def restore(self, positions: Mapping[str, ConsumerPosition]) -> None:
        """Continue from the positions that the log holds, except where a change is not committed yet."""
        known = {**self._positions, **positions, **self._unwritten}
        self._positions = {name: position for name, position in known.items() if position is not None}

    def write_again(self) -> None:
        """Have all positions committed: the log may have lost them."""
        for name, position in self._positions.items():
            self._unwritten.setdefault(name, position)
        self._changed()

    def written(self) -> None:
        """Tell readers whose positions are committed."""
        for name, future in self._waiting:
            if name not in self._unwritten and not future.done():
                future.set_result(None)

    def failed(self, error: WscliError) -> None:
        """Tell readers who wait for a commit that it failed; it is tried again."""
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(WscliError(f"the position is not kept: {error.message}", error.hint))

    # for itself

    def _put(self, name: str, cursor: Cursor) -> None:
        """Take a position as far as it is committed: numbers behind that may be given again."""
        cursor = cursor._replace(seq=min(cursor.seq, self._log.committed))
        self._positions[name] = self._unwritten[name] = ConsumerPosition(cursor, self._clock.wall())
        self._changed()

    def _resumed(self, cursor: Cursor, claim: Position | None) -> Start:
        if claim is not None:
            claimed = self._log.seek_after(claim)
            if claimed.gap is None and claimed.cursor.seq > cursor.seq:
                return claimed
        return Start(cursor)

    def _require_free(self, name: str) -> None:
        _check(name)
        if name not in self._positions:
            raise WscliError(f"there is no consumer {name!r}", "`wscli consumer ls` lists them")
        if name in self._readers:
            raise WscliError(f"consumer {name!r} is read by process {self._readers[name]}", "end that process first")


def _check(name: str) -> None:
    if not _NAME.fullmatch(name):
        shown = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}..."
        raise UsageError(
            f"invalid consumer name: {shown!r}",
            "use at most 64 letters, digits, '.', '_' and '-'; do not begin with '.' or '-'",
        )


class ConsumerLease:
    """The right of one reader to move a consumer's position, until ``release``; it begins at ``start``."""

    def __init__(self, consumers: NamedConsumers, log: CommittedLog, name: str, start: Start) -> None:
        self.start = start
        self._consumers = consumers
        self._log = log
        self._name = name

    @property
    def committed(self) -> int:
        """The number of the last message that it may be given: later ones may yet be lost with the process."""
        return self._log.committed

    def move(self, cursor: Cursor) -> None:
        """Move the position forward; a cursor behind it changes nothing."""
        if cursor > self._consumers._positions[self._name].cursor:
            self._consumers._put(self._name, cursor)

    async def confirmed(self) -> None:
        """Return once the last move is committed.

        Raises:
            WscliError: it cannot be committed (the disk is full, for example).
        """
        await self._consumers.confirmed(self._name)

    def release(self) -> None:
        """Let another reader have the name."""
        self._consumers._readers.pop(self._name, None)
