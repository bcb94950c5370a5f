"""A history on SQLite: what it keeps through restarts and crashes, who is told what, and what a full disk costs."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from tests.history.ticking import Ticking
from wscli.database import DatabaseError
from wscli.errors import UsageError, WscliError
from wscli.history.limits import HistoryLimits
from wscli.history.log import WriteBatch
from wscli.history.memory import History
from wscli.history.records import Batch, Cursor, GapRecord, Position, Start
from wscli.history.sqlite.file import LogFile
from wscli.history.sqlite.log import SqliteLog
from wscli.history.sqlite.reader import LogReader
from wscli.history.write_behind import WriteBehindHistory

BIG = b"x" * 60_000


class Reports:
    """What a history reported."""

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


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app" / "news.db"


def fill(history: History, *sizes: int) -> None:
    """Append batches of so many messages; each message is its own number."""
    for size in sizes:
        history.append([b"%d" % (history.last + 1 + index) for index in range(size)], None)


def at(history: History, seq: int, gaps: int = 0) -> Cursor:
    return Cursor(seq, gaps, history.epoch)


async def until(history: WriteBehindHistory, holds: Callable[[], bool]) -> None:
    """Wait until something holds, looking at each commit."""
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110 - what the thread does is told to the history alone
            await asyncio.sleep(0.001)


async def committed(history: WriteBehindHistory) -> None:
    await until(history, lambda: history.committed == history.last)


async def drain(history: WriteBehindHistory, start: Start) -> list[Any]:
    """Read to the end: numbers of messages, and gaps as (reason, after, missed)."""
    cursor = start.cursor
    seen: list[Any] = [] if start.gap is None else [(start.gap.reason, start.gap.after, start.gap.missed)]
    woken = asyncio.Event()
    unsubscribe = history.subscribe(woken.set)
    async with asyncio.timeout(60):
        while True:
            found = history.read(cursor)
            if found is None and cursor.seq >= history.last:
                unsubscribe()
                return seen
            if found is None:
                woken.clear()
                await woken.wait()
                continue
            cursor = found.cursor
            if isinstance(found.item, GapRecord):
                seen.append((found.item.reason, found.item.after, found.item.missed))
            else:
                payloads = [payload.rstrip(b"x") for payload in found.item.payloads]
                assert payloads == [b"%d" % number for number in range(found.item.first, found.item.last + 1)]
                seen.extend(range(found.item.first, found.item.last + 1))


async def loaded(history: WriteBehindHistory, cursor: Cursor) -> Batch:
    """Read a batch that is in the file alone."""
    await until(history, lambda: history.read(cursor) is not None)
    found = history.read(cursor)
    assert found is not None
    assert isinstance(found.item, Batch)
    return found.item


async def beyond_the_window(history: WriteBehindHistory, messages: int = 200) -> None:
    """Append until the first messages are in the file alone."""
    for _ in range(messages):
        history.append([b"%d" % (history.last + 1) + BIG], None)
    await committed(history)
    assert super(WriteBehindHistory, history).first > 1


async def test_numbers_and_epoch_go_on_after_a_clean_end(path: Path, clock: Ticking) -> None:
    async with opened(path, clock) as history:
        fill(history, 3, 2)
        history.append([b"\x00\xff", b"text"], b"bt")
        history.record_gap("outage", start=1.0, end=2.5)
        epoch = history.epoch
    clock.now += 60
    async with opened(path, clock) as history:
        assert (history.epoch, history.first, history.last, history.committed) == (epoch, 1, 7, 7)
        assert history.ended_at == clock.now - 60
        assert history.seek_after(Position(epoch, 7)) == Start(at(history, 7))
        found = history.read(at(history, 7))
        assert found is not None
        assert found.item == GapRecord(7, "outage", 1.0, 2.5)
        fill(history, 1)
        first, binary = (
            await loaded(history, at(history, 0)),
            await loaded(history, at(history, 5)),
        )
        assert first.payloads == [b"1", b"2", b"3"]
        assert (binary.payloads, binary.kinds) == ([b"\x00\xff", b"text"], b"bt")


async def test_the_files_are_private(path: Path, clock: Ticking) -> None:
    async with opened(path, clock) as history:
        fill(history, 1)
        await committed(history)
        assert {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()} == {0o600}
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def crash(path: Path, clock: Ticking, *sizes: int) -> str:
    """Write like a manager that is killed after its last commit; give the epoch."""
    file = LogFile(path, HistoryLimits(store="disk"))
    memory = History(HistoryLimits(), clock=clock, epoch=file.state.epoch)
    fill(memory, *sizes)
    file.write(WriteBatch(memory._batches.after(0)), clock.now)
    file._database.close()
    return file.state.epoch


async def test_an_unclean_end_begins_a_new_epoch_and_numbers_go_on(path: Path, clock: Ticking) -> None:
    before = crash(path, clock, 3, 4)
    async with opened(path, clock) as history:
        assert history.epoch != before
        assert (history.first, history.last) == (1, 7)
        fill(history, 2)
        await committed(history)
        assert await drain(history, history.seek_after(Position(before, 5))) == [6, 7, 8, 9]
        told = await drain(history, history.seek_after(Position(before, 8)))
        assert told == [("reset", 7, None), 8, 9], "it had seen an 8 that was lost"
        assert await drain(history, history.seek_after(Position("zzzzzz", 8))) == [("reset", 0, None), *range(1, 10)]


async def test_a_reader_behind_the_window_reads_the_file_and_loses_nothing(path: Path, clock: Ticking) -> None:
    async with opened(path, clock) as history:
        await beyond_the_window(history)
        everything = list(range(1, history.last + 1))
        assert await drain(history, history.seek_start()) == everything
        assert await drain(history, history.seek_last(150)) == everything[-150:]
        assert await drain(history, history.seek_after(Position(history.epoch, 20))) == everything[20:]
        readers = [drain(history, history.seek_after(Position(history.epoch, n))) for n in range(0, 100, 7)]
        for number, got in zip(range(0, 100, 7), await asyncio.gather(*readers), strict=True):
            assert got == everything[number:]
        assert history.lag(at(history, 0)) == 0.0, "it loses nothing, and holds nobody back"


async def test_a_reader_behind_the_window_is_told_when_the_channel_goes(path: Path, clock: Ticking) -> None:
    async with opened(path, clock) as history:
        await beyond_the_window(history)
        history.end()
        seen = await drain(history, Start(at(history, 3)))
        assert seen[0] == ("truncated", 3, seen[1] - 4)
        assert seen[-1] == history.last


async def test_since_finds_its_place_in_the_file(path: Path, clock: Ticking) -> None:
    async with opened(path, clock) as history:
        for _ in range(200):
            clock.now += 1
            history.append([b"%d" % (history.last + 1) + BIG], None)
        await committed(history)
        for back in (0, 1, 60, 150, 199):
            number = 200 - back
            assert (await drain(history, await history.seek_since(clock.now - back)))[0] == number
        assert await drain(history, await history.seek_since(clock.now + 1)) == []
        assert (await drain(history, await history.seek_since(0.0)))[0] == 1


async def test_messages_beyond_the_limits_are_dropped_and_a_reader_is_told_how_many(path: Path, clock: Ticking) -> None:
    async with opened(path, clock, max_size="4MiB") as history:
        await beyond_the_window(history, 600)
        await until(history, lambda: history.committed == history.last)
        for _ in range(5):  # each commit drops a bounded number of rows
            history.append([b"%d" % (history.last + 1) + BIG], None)
            await committed(history)
        recent = super(WriteBehindHistory, history).first
        assert 1 < history.first <= recent
        seen = await drain(history, Start(at(history, 0)))
        assert seen[0] == ("lagged", 0, history.first - 1)
        assert seen[1:] == list(range(history.first, history.last + 1))
        kept = sqlite3.connect(path).execute("SELECT sum(length(data)) FROM batches").fetchone()[0]
        assert kept <= (4 << 20) + len(BIG) + 8


async def test_messages_older_than_max_age_are_dropped(path: Path, clock: Ticking) -> None:
    async with opened(path, clock, max_age="1h") as history:
        fill(history, 3)
        await committed(history)
        clock.now += 3000
        fill(history, 2)
        await committed(history)
        clock.now += 700
        fill(history, 1)
        await committed(history)
    async with opened(path, clock, max_age="1h") as history:
        assert (history.first, history.last) == (4, 6)
        assert await drain(history, await history.seek_since(clock.now - 3600)) == [4, 5, 6]
        assert await drain(history, await history.seek_since(0.0)) == [("truncated", 3, None), 4, 5, 6]


async def test_a_message_reaches_readers_before_it_is_committed(path: Path, clock: Ticking) -> None:
    async with opened(path, clock) as history:
        fill(history, 2)
        found = history.read(at(history, 0))
        assert found is not None
        assert history.committed == 0


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


@pytest.fixture
def _quick_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wscli.history.log_writer.RETRY", 0.01)


@pytest.mark.usefixtures("_quick_retry")
async def test_a_full_disk_is_stated_and_messages_that_it_could_not_take_are_a_gap(path: Path, clock: Ticking) -> None:
    told = Reports()
    async with opened(path, clock, told) as history:
        fill(history, 2)
        await committed(history)
        disk = FullDisk(history)
        while True not in told.full:
            history.append([b"%d" % (history.last + 1) + BIG], None)
        kept = history.last
        history.overflow()
        live = history.last
        for _ in range(200):
            history.append([b"%d" % (history.last + 1) + BIG], None)
        missed = history.last
        assert await drain(history, Start(at(history, live))) != [], "readers who keep up see them all the same"
        await until(history, lambda: told.faults[-1:] == ["'news.db' cannot grow: the disk is full"])
        disk.full = False
        await until(history, lambda: told.full[-1] is False)
        assert told.faults[-1] is None, "it is mended"
        fill(history, 1)
        await committed(history)
        assert history.gaps == {"disk": 1}
    async with opened(path, clock) as history:
        seen = await drain(history, history.seek_start())
        assert seen == [*range(1, kept + 1), ("disk", kept, missed - kept), missed + 1]


@pytest.mark.usefixtures("_quick_retry")
async def test_messages_that_wait_to_be_written_are_still_kept(path: Path, clock: Ticking) -> None:
    async with opened(path, clock) as history:
        disk = FullDisk(history)
        for _ in range(200):
            history.append([b"%d" % (history.last + 1) + BIG], None)
        assert super(WriteBehindHistory, history).first > 1
        assert history.first == 1, "though neither the window in memory nor the file has it by now"
        disk.full = False
        assert await drain(history, history.seek_start()) == list(range(1, 201))


@pytest.mark.usefixtures("_quick_retry")
async def test_a_consumer_sees_only_what_is_committed(path: Path, clock: Ticking) -> None:
    async with opened(path, clock) as history:
        fill(history, 2)
        await committed(history)
        disk = FullDisk(history)
        fill(history, 3)
        lease = history.consumers.take("billing", 1)
        lease.move(at(history, 1))
        assert (history.last, lease.committed) == (5, 2)
        with pytest.raises(WscliError, match=r"the position is not kept: .*the disk is full"):
            await lease.confirmed()
        disk.full = False
        await lease.confirmed()
        await until(history, lambda: lease.committed == 5)


async def test_a_consumer_goes_on_where_it_stopped(path: Path, clock: Ticking) -> None:
    async with opened(path, clock) as history:
        fill(history, 5)
        history.record_gap("outage")
        fill(history, 5)
        await committed(history)
        lease = history.consumers.take("billing", 41)
        assert lease.start == Start(at(history, 0)), "a new one begins at the oldest message"
        lease.move(at(history, 5, 1))
        lease.move(at(history, 4))
        await lease.confirmed()
        with pytest.raises(WscliError, match="consumer 'billing' is read by process 41"):
            history.consumers.take("billing", 42)
        lease.release()
    crash_free = history.epoch
    async with opened(path, clock) as history:
        (one,) = history.consumers.list()
        assert (one.name, one.position, one.lag, one.held_by) == ("billing", Position(crash_free, 5), 5, None)
        assert history.consumers.take("billing", 1).start == Start(at(history, 5, 1))


async def test_a_consumer_may_claim_what_was_not_confirmed_yet(path: Path, clock: Ticking) -> None:
    epoch = crash(path, clock, 9)
    async with opened(path, clock) as history:
        take, release = history.consumers.take, lambda: history.consumers._readers.clear()
        take("billing", 1).move(at(history, 3))
        release()
        assert take("billing", 1, claim=Position(epoch, 6)).start.cursor.seq == 6
        release()
        assert take("billing", 1, claim=Position(epoch, 2)).start.cursor.seq == 3, "never backwards"
        release()
        assert take("billing", 1, claim=Position(epoch, 12)).start.cursor.seq == 3, "not what was lost"


async def test_consumers_are_reset_removed_and_counted(path: Path, clock: Ticking) -> None:
    async with opened(path, clock) as history:
        fill(history, 4)
        await committed(history)
        consumers = history.consumers
        lease = consumers.take("a", 1)
        for refused in (consumers.reset("a", Start(at(history, 0))), consumers.remove("a")):
            with pytest.raises(WscliError, match="is read by process 1"):
                await refused
        lease.release()
        await consumers.reset("a", history.seek_last(1))
        assert [one.position.seq for one in consumers.list()] == [3]
        await consumers.remove("a")
        assert consumers.list() == []
        with pytest.raises(WscliError, match="there is no consumer 'a'"):
            await consumers.remove("a")
        for number in range(64):
            consumers.take(f"c{number}", 1)
        with pytest.raises(WscliError, match="has 64 consumers already"):
            consumers.take("one-more", 1)


@pytest.mark.parametrize("name", ["", "a/b", "..\0", "a b", "ü", "x" * 65])
async def test_an_invalid_consumer_name_is_refused(path: Path, clock: Ticking, name: str) -> None:
    async with opened(path, clock) as history:
        with pytest.raises(UsageError, match="invalid consumer name"):
            history.consumers.take(name, 1)


async def test_closing_writes_everything_that_waits(path: Path, clock: Ticking) -> None:
    async with opened(path, clock) as history:
        for _ in range(300):
            history.append([b"%d" % (history.last + 1) + BIG], None)
    async with opened(path, clock) as history:
        assert (history.first, history.last) == (1, 300)


async def test_a_removed_channels_file_can_be_taken_up_at_once(path: Path, clock: Ticking) -> None:
    first = WriteBehindHistory(SqliteLog(path, HistoryLimits(store="disk")), clock=clock)
    fill(first, 5)
    first.end()
    async with opened(path, clock) as history:
        assert (history.epoch, history.last) == (first.epoch, 5)


async def test_backfilled_messages_are_marked_in_the_file_too(path: Path, clock: Ticking) -> None:
    async with opened(path, clock) as history:
        fill(history, 2)
        history.record_gap("outage", start=1.0, end=2.5, backfilled=1)
        history.append([b"3"], None, backfill=True)
        fill(history, 1)
    async with opened(path, clock) as history:
        gap = history.read(at(history, 2))
        assert gap is not None
        assert gap.item == GapRecord(2, "outage", 1.0, 2.5, None, 1)
        assert [(await loaded(history, at(history, after, 1))).backfill for after in (1, 2, 3)] == [
            False,
            True,
            False,
        ]


async def test_a_file_of_version_1_is_upgraded(path: Path, clock: Ticking) -> None:
    async with opened(path, clock) as history:
        fill(history, 3)
        history.record_gap("outage", start=1.0, end=2.5)
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            "ALTER TABLE batches DROP COLUMN backfill; ALTER TABLE gaps DROP COLUMN backfilled; PRAGMA user_version=1"
        )
    async with opened(path, clock) as history:
        fill(history, 1)
        assert await drain(history, history.seek_start()) == [1, 2, 3, ("outage", 3, None), 4]


async def test_a_reader_waits_for_a_file_that_cannot_be_read_at_the_moment(
    path: Path, clock: Ticking, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, connect, refusals = Reports(), LogReader._connect, [1, 2]

    def refusing(reader: LogReader) -> sqlite3.Connection:
        if refusals:
            refusals.pop()
            error = sqlite3.OperationalError("unable to open database file")
            error.sqlite_errorname = "SQLITE_CANTOPEN"
            raise error
        return connect(reader)

    monkeypatch.setattr(LogReader, "_connect", refusing)
    monkeypatch.setattr("wscli.history.read_ahead.RETRY", 0.01)
    async with opened(path, clock, told) as history:
        await beyond_the_window(history)
        assert await drain(history, history.seek_start()) == list(range(1, 201))
        assert told.faults.pop() is None, "it is mended"
        assert ["unable to open database file" in (text or "") for text in told.faults] == [True, True]


async def test_since_gives_more_and_not_less_where_the_file_cannot_tell(
    path: Path, clock: Ticking, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(path, clock) as history:
        await beyond_the_window(history)
    async with opened(path, clock) as history:
        with monkeypatch.context() as patch:
            patch.setattr(LogReader, "_connect", lambda reader: sqlite3.connect(":memory:"))
            start = await history.seek_since(clock.now)
        assert await drain(history, start) == list(range(1, 201))
