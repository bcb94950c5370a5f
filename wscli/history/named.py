"""Named consumers of a disk history: where each is, who reads by its name now, and what of that is on disk."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from wscli.clock import Clock
from wscli.errors import UsageError, WscliError
from wscli.history.engine import Consumer
from wscli.history.records import Cursor, Position, Start
from wscli.history.store import Held

if TYPE_CHECKING:
    from wscli.history.disk import DiskHistory

__all__ = ["MOST_CONSUMERS", "NamedConsumers"]

MOST_CONSUMERS = 64
"""Of one history."""
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_SHOWN = 80
"""Characters of what cannot be a name."""


class NamedConsumers:
    """The consumers of one history.

    Args:
        history: what they read.
        held: the positions that its file had.
        write: has a position written, or forgotten.
        clock: the wall clock.

    """

    def __init__(
        self,
        history: DiskHistory,
        held: Mapping[str, Held],
        write: Callable[[str, Held | None], None],
        clock: Clock,
    ) -> None:
        self._history = history
        self._held = dict(held)
        self._holders: dict[str, int] = {}
        self._write = write
        self._clock = clock
        self._unwritten: dict[str, Held | None] = {}
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []

    @property
    def active(self) -> bool:
        """Whether somebody reads by a name."""
        return bool(self._holders)

    def take(self, name: str, holder: int, begin: Start | None = None, *, claim: Position | None = None) -> _Lease:
        """Read by a name, as `engine.Consumers` has it."""
        _check(name)
        if name in self._holders:
            raise WscliError(
                f"consumer {name!r} is read by process {self._holders[name]}",
                "end that process, or read by another name",
            )
        start = begin or self._history.seek_start()
        if name in self._held:
            start = self._resumed(self._held[name].cursor, claim)
        elif len(self._held) >= MOST_CONSUMERS:
            raise WscliError(f"the channel has {MOST_CONSUMERS} consumers already", "`wscli consumer rm` forgets one")
        self._holders[name] = holder
        if name not in self._held:
            self.put(name, start.cursor)
        return _Lease(self, self._history, name, start)

    def list(self) -> list[Consumer]:
        """Give all, by name."""
        committed, epoch = self._history.committed, self._history.epoch
        return [
            Consumer(
                name,
                Position(epoch, held.cursor.seq),
                max(0, committed - held.cursor.seq),
                self._holders.get(name),
                held.moved_at,
            )
            for name, held in sorted(self._held.items())
        ]

    async def reset(self, name: str, start: Start) -> None:
        """Have one begin elsewhere, as `engine.Consumers` has it."""
        self._require_free(name)
        self.put(name, start.cursor)
        await self.confirmed(name)

    async def remove(self, name: str) -> None:
        """Forget one, as `engine.Consumers` has it."""
        self._require_free(name)
        del self._held[name]
        self._unwritten[name] = None
        self._write(name, None)
        await self.confirmed(name)

    # for a lease

    def put(self, name: str, cursor: Cursor) -> None:
        """Take a position, and have it written: none of what is not committed, whose numbers may be given again."""
        cursor = cursor._replace(seq=min(cursor.seq, self._history.committed))
        held = Held(cursor, self._clock.wall())
        self._held[name] = self._unwritten[name] = held
        self._write(name, held)

    def move(self, name: str, cursor: Cursor) -> None:
        """Take a position on."""
        if cursor > self._held[name].cursor:
            self.put(name, cursor)

    async def confirmed(self, name: str) -> None:
        """Wait until the last position of a consumer is on disk."""
        if name not in self._unwritten:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((name, future))
        try:
            await future
        finally:
            self._waiting.remove((name, future))

    def release(self, name: str) -> None:
        """Let another reader have the name."""
        self._holders.pop(name, None)

    # what the writer reports

    def written(self, consumers: Mapping[str, Held | None]) -> None:
        """These are on disk."""
        for name, held in consumers.items():
            if name in self._unwritten and self._unwritten[name] == held:
                del self._unwritten[name]
        for name, future in self._waiting:
            if name not in self._unwritten and not future.done():
                future.set_result(None)

    def failed(self, error: WscliError | None) -> None:
        """A commit failed: whoever waits for one is told, though it is tried again."""
        if error is None:
            return
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(WscliError(f"the position is not kept: {error.message}", error.hint))

    # for itself

    def _resumed(self, cursor: Cursor, claim: Position | None) -> Start:
        if claim is not None:
            claimed = self._history.seek_after(claim)
            if claimed.gap is None and claimed.cursor.seq > cursor.seq:
                return claimed
        return Start(cursor)

    def _require_free(self, name: str) -> None:
        _check(name)
        if name not in self._held:
            raise WscliError(f"there is no consumer {name!r}", "`wscli consumer ls` lists them")
        if name in self._holders:
            raise WscliError(f"consumer {name!r} is read by process {self._holders[name]}", "end that process first")


def _check(name: str) -> None:
    if not _NAME.fullmatch(name):
        shown = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}..."
        raise UsageError(
            f"{shown!r} cannot be the name of a consumer",
            "it is of letters, digits, '.', '_' and '-', 64 at most, the first of them neither '.' nor '-'",
        )


class _Lease:
    """The right to move a position (`engine.Lease`)."""

    def __init__(self, consumers: NamedConsumers, history: DiskHistory, name: str, start: Start) -> None:
        self.start = start
        self._consumers = consumers
        self._history = history
        self._name = name

    @property
    def committed(self) -> int:
        """The number of the last message that may be given."""
        return self._history.committed

    def move(self, cursor: Cursor) -> None:
        """Take the position on."""
        self._consumers.move(self._name, cursor)

    async def confirmed(self) -> None:
        """Return once the last move would survive a crash."""
        await self._consumers.confirmed(self._name)

    def release(self) -> None:
        """Let another reader have the name."""
        self._consumers.release(self._name)
