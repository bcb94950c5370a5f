"""Files that somebody removes, replaces, truncates or writes under a history: a problem, a gap, and numbers go on."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.history.sqlite.opening import BIG, Reports, at, committed, crash, drain, fill, loaded, opened
from tests.history.ticking import Ticking
from tests.waiting import eventually
from wscli.database.opening import DatabaseError
from wscli.history.limits import HistoryLimits
from wscli.history.records import Position, Start
from wscli.history.sqlite.log import SqliteLog
from wscli.history.write_behind import WriteBehindHistory

pytestmark = pytest.mark.usefixtures("_quick_retry")


@pytest.fixture
def told() -> Reports:
    return Reports()


@pytest.fixture
async def history(path: Path, clock: Ticking, told: Reports) -> AsyncIterator[WriteBehindHistory]:
    """A history with ten committed messages and a consumer that has finished seven."""
    async with opened(path, clock, told) as history:
        fill(history, 10)
        await committed(history)
        lease = history.consumers.take("billing", 1)
        lease.move(at(history, 7))
        await lease.confirmed()
        lease.release()
        yield history


def removed(path: Path) -> None:
    path.unlink()


def removed_with_all_beside_it(path: Path) -> None:
    shutil.rmtree(path.parent)


def moved_away(path: Path) -> None:
    (path.parent / "old").mkdir()
    for file in list(path.parent.glob("news*")):
        file.rename(path.parent / "old" / file.name)


def truncated(path: Path) -> None:
    os.truncate(path, 0)


def overwritten(path: Path) -> None:
    path.write_bytes(b"garbage " * 100_000)


def replaced_by_something_else(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(b"garbage " * 1000)
    other.rename(path)


def log_truncated(path: Path) -> None:
    os.truncate(f"{path}-wal", 0)


LOSSES = [
    removed,
    removed_with_all_beside_it,
    moved_away,
    truncated,
    overwritten,
    replaced_by_something_else,
    log_truncated,
]


@pytest.mark.parametrize("lose", LOSSES)
async def test_a_lost_file_is_stated_and_a_new_one_goes_on_with_the_numbers_after_a_gap(
    history: WriteBehindHistory, path: Path, clock: Ticking, told: Reports, lose: Callable[[Path], None]
) -> None:
    live, epoch = at(history, 10), history.epoch
    lose(path)
    await eventually(lambda: history.look() and told.faults and "10 messages are lost" in str(told.faults[-1]))
    assert str(path) in str(told.faults[-1])
    fill(history, 5)
    await committed(history)
    assert history.gaps == {"disk": 1}
    assert await drain(history, Start(live)) == [("disk", 10, None), 11, 12, 13, 14, 15], "readers go on"
    await history.close()
    async with opened(path, clock) as after:
        assert (after.epoch, after.first, after.last) == (epoch, 11, 15)
        seen = await drain(after, after.seek_after(Position(epoch, 3)))
        assert seen == [("truncated", 3, 7), ("disk", 10, None), 11, 12, 13, 14, 15]
        assert (await after.seek_since(0.0)).gap is not None
        assert [(one.name, one.position.seq) for one in after.consumers.list()] == [("billing", 7)]


async def test_messages_that_are_in_memory_still_reach_a_reader_that_lags(
    history: WriteBehindHistory, path: Path, told: Reports
) -> None:
    removed(path)
    fill(history, 1)
    await eventually(lambda: told.faults)
    await committed(history)
    assert await drain(history, Start(at(history, 4))) == [5, 6, 7, 8, 9, 10, 11, ("disk", 11, None)]


async def test_what_was_committed_into_a_removed_file_is_written_again(
    history: WriteBehindHistory, path: Path, clock: Ticking
) -> None:
    log = history._log
    assert isinstance(log, SqliteLog)
    write = log._file.write

    def removing(*args: object) -> object:
        found = write(*args)  # type: ignore[arg-type]
        path.unlink()
        return found

    log._file.write = removing  # type: ignore[method-assign, assignment]
    fill(history, 2)
    await committed(history)
    await history.close()
    async with opened(path, clock) as after:
        assert (after.first, after.last) == (11, 12)


@pytest.mark.parametrize("beside", ["news.db-wal", "news.db-shm", "news.db.lock"])
async def test_a_file_beside_it_that_is_removed_costs_nothing(
    history: WriteBehindHistory, path: Path, clock: Ticking, told: Reports, beside: str
) -> None:
    removed(path.with_name(beside))
    history.look()
    fill(history, 5)
    await committed(history)
    assert told.faults[-1:] in ([], [None])
    await history.close()
    async with opened(path, clock) as after:
        assert await drain(after, after.seek_start()) == list(range(1, 16))


async def test_an_older_copy_that_is_put_in_its_place_is_taken_up_in_a_new_epoch_beyond_its_numbers(
    history: WriteBehindHistory, path: Path, clock: Ticking, told: Reports
) -> None:
    copy = path.with_name("copy")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    fill(history, 10)
    await committed(history)
    epoch = history.epoch
    copy.rename(path)
    await eventually(lambda: history.look() and history.epoch != epoch)
    fill(history, 1)
    await committed(history)
    assert (history.first, history.last) == (1, 21)
    assert "new epoch" in str(told.faults[-1])
    assert await drain(history, history.seek_after(Position(epoch, 9))) == [
        10,
        ("disk", 10, 10),
        ("disk", 20, None),
        21,
    ]


def write_numbers(path: Path, *numbers: int) -> None:
    """Write records as another manager would."""
    with closing(sqlite3.connect(path)) as other, other:
        (*_, row) = other.execute("SELECT * FROM batches ORDER BY last LIMIT 1")
        other.executemany("INSERT INTO batches VALUES (?,?,?,?,?,?,?,?,?,?)", [(one, one, *row[2:]) for one in numbers])


async def test_a_number_that_is_taken_begins_a_new_epoch_behind_the_highest(
    history: WriteBehindHistory, path: Path, clock: Ticking, told: Reports
) -> None:
    epoch = history.epoch
    write_numbers(path, 11, 12, 40)
    fill(history, 1)
    fill(history, 1)
    await committed(history)
    assert history.epoch != epoch
    assert history.last == 42
    assert "two writers" in str(told.faults[-1])
    assert history.gaps == {"disk": 1}
    assert (await loaded(history, at(history, 40, 1))).payloads == [b"11"], "a fill writes what its number was to be"


async def test_a_file_that_two_wrote_is_opened_and_says_so(path: Path, clock: Ticking) -> None:
    crash(path, clock, 3)
    write_numbers(path, 7)
    told = Reports()
    async with opened(path, clock, told) as history:
        fill(history, 1)
        await committed(history)
        assert history.last == 8
        assert "two writers" in str(told.faults[0])


async def test_a_second_manager_of_a_file_is_refused_and_the_first_one_named(
    history: WriteBehindHistory, path: Path
) -> None:
    with pytest.raises(DatabaseError, match=rf"news.db' is in use by pid {os.getpid()}"):
        SqliteLog(path, HistoryLimits(store="disk"))
    fill(history, 1)
    await committed(history)


async def test_a_file_that_is_lost_as_the_history_ends_is_begun_anew_with_the_rest(path: Path, clock: Ticking) -> None:
    async with opened(path, clock) as history:
        fill(history, *[1] * 20, padding=BIG)
        await committed(history)
        removed(path)
        fill(history, 2)
    async with opened(path, clock) as after:
        assert (after.first, after.last) == (21, 22)
