"""Histories on SQLite, opened, filled and read by tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.history.ticking import Ticking
from tests.waiting import eventually
from wscli.database.opening import DatabaseError
from wscli.history.limits import HistoryLimits
from wscli.history.log import WriteBatch
from wscli.history.memory import History
from wscli.history.records import Batch, Cursor, GapRecord, ReadResult, Start
from wscli.history.sqlite.file import LogFile
from wscli.history.sqlite.log import SqliteLog
from wscli.history.write_behind import WriteBehindHistory

BIG = b"x" * 60_000


class Reports:
    def __init__(self) -> None:
        self.faults: list[str | None] = []
        self.full: list[bool] = []


@asynccontextmanager
async def opened(
    path: Path, clock: Ticking, told: Reports | None = None, **limits: Any
) -> AsyncIterator[WriteBehindHistory]:
    told = told or Reports()
    history = WriteBehindHistory(
        SqliteLog(path, HistoryLimits(store="disk", **limits)),
        clock=clock,
        on_fault=told.faults.append,
        on_full=told.full.append,
    )
    try:
        yield history
    finally:
        await history.close()


def fill(history: History, *sizes: int, padding: bytes = b"") -> None:
    """Append batches of so many messages; each message is its own number."""
    for size in sizes:
        history.append([b"%d" % (history.last + 1 + index) + padding for index in range(size)], None)


def at(history: History, seq: int, gaps: int = 0) -> Cursor:
    return Cursor(seq, gaps, history.epoch)


async def committed(history: WriteBehindHistory) -> None:
    await history.opened()
    await eventually(lambda: history.committed == history.last)


async def next_of(history: History, cursor: Cursor) -> ReadResult:
    """Wait for what comes after a cursor."""
    while (found := history.read(cursor)) is None:
        woken = asyncio.Event()
        unsubscribe = history.subscribe(woken.set)
        await woken.wait()
        unsubscribe()
    return found


async def drain(history: History, start: Start) -> list[Any]:
    """Read to the end: numbers of messages, and gaps as (reason, after, missed)."""
    cursor = start.cursor
    seen: list[Any] = [] if start.gap is None else [(start.gap.reason, start.gap.after, start.gap.missed)]
    async with asyncio.timeout(60):
        while cursor.seq < history.last or history.read(cursor) is not None:
            item, cursor = await next_of(history, cursor)
            if isinstance(item, GapRecord):
                seen.append((item.reason, item.after, item.missed))
            else:
                payloads = [payload.rstrip(b"x") for payload in item.payloads]
                assert payloads == [b"%d" % number for number in range(item.first, item.last + 1)]
                seen.extend(range(item.first, item.last + 1))
    return seen


async def loaded(history: WriteBehindHistory, cursor: Cursor) -> Batch:
    """Read a batch that is in the file alone."""
    item, _ = await next_of(history, cursor)
    assert isinstance(item, Batch)
    return item


async def beyond_the_window(history: WriteBehindHistory, messages: int = 200) -> None:
    """Append until the first messages are in the file alone."""
    fill(history, *[1] * messages, padding=BIG)
    await committed(history)
    assert super(WriteBehindHistory, history).first > 1


def crash(path: Path, clock: Ticking, *sizes: int) -> str:
    """Write like a manager that is killed after its last commit; give the epoch."""
    file = LogFile(path, HistoryLimits(store="disk"))
    memory = History(HistoryLimits(), clock=clock, epoch=file.state.epoch)
    fill(memory, *sizes)
    file.write(WriteBatch(memory._batches.after(0)), clock.now)
    file._database.close()
    return file.state.epoch


class FullDisk:
    """Lets commits fail while ``full``."""

    def __init__(self, history: WriteBehindHistory) -> None:
        self.full = True
        log = history._log
        assert isinstance(log, SqliteLog)
        self._write = log._file.write
        log._file.write = self.write  # type: ignore[method-assign]

    def write(self, work: WriteBatch, now: float) -> Any:
        if self.full:
            raise DatabaseError("'news.db' cannot grow: the disk is full", "make room on the disk")
        return self._write(work, now)
