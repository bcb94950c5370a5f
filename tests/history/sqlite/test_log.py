"""A history on SQLite: what it keeps through restarts and crashes, and what a full disk costs."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.history.sqlite.opening import BIG, FullDisk, Reports, at, committed, crash, drain, fill, loaded, opened
from tests.history.ticking import Ticking
from tests.waiting import eventually
from wscli.history.limits import HistoryLimits
from wscli.history.records import GapRecord, Position, Start
from wscli.history.seen import MOST_SEEN
from wscli.history.sqlite.log import SqliteLog
from wscli.history.write_behind import WriteBehindHistory


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
        assert history.read(at(history, 7)) == (GapRecord(7, "outage", 1.0, 2.5), at(history, 7, 1))
        fill(history, 1)
        first, binary = (await loaded(history, at(history, 0)), await loaded(history, at(history, 5)))
        assert first.payloads == [b"1", b"2", b"3"]
        assert (binary.payloads, binary.kinds) == ([b"\x00\xff", b"text"], b"bt")


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


@pytest.mark.usefixtures("_quick_retry")
async def test_a_full_disk_is_stated_and_messages_that_it_could_not_take_are_a_gap(path: Path, clock: Ticking) -> None:
    told = Reports()
    async with opened(path, clock, told) as history:
        fill(history, 2)
        await committed(history)
        disk = FullDisk(history)
        while True not in told.full:
            fill(history, 1, padding=BIG)
        kept = history.last
        history.overflow()
        live = history.last
        fill(history, *[1] * 200, padding=BIG)
        missed = history.last
        assert await drain(history, Start(at(history, live))) != [], "readers who keep up see them all the same"
        await eventually(lambda: told.faults[-1:] == ["'news.db' cannot grow: the disk is full"])
        disk.full = False
        await eventually(lambda: told.full[-1] is False)
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
        fill(history, *[1] * 200, padding=BIG)
        assert super(WriteBehindHistory, history).first > 1
        assert history.first == 1, "though neither the window in memory nor the file has it by now"
        disk.full = False
        assert await drain(history, history.seek_start()) == list(range(1, 201))


async def test_closing_writes_everything_that_waits(path: Path, clock: Ticking) -> None:
    async with opened(path, clock) as history:
        fill(history, *[1] * 300, padding=BIG)
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
        assert history.read(at(history, 2)) == (GapRecord(2, "outage", 1.0, 2.5, None, 1), at(history, 2, 1))
        assert [(await loaded(history, at(history, after, 1))).backfill for after in (1, 2, 3)] == [False, True, False]


async def test_a_file_of_version_1_is_upgraded(path: Path, clock: Ticking) -> None:
    async with opened(path, clock) as history:
        fill(history, 3)
        history.record_gap("outage", start=1.0, end=2.5)
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            "ALTER TABLE batches DROP COLUMN backfill; ALTER TABLE gaps DROP COLUMN backfilled; DROP TABLE seen;"
            "DROP TABLE kept;"
            "PRAGMA user_version=1"
        )
    async with opened(path, clock) as history:
        fill(history, 1)
        assert await drain(history, history.seek_start()) == [1, 2, 3, ("outage", 3, None), 4]


async def test_the_digests_that_were_seen_are_in_the_file_and_bounded(path: Path, clock: Ticking) -> None:
    async with opened(path, clock) as history:
        for number in range(MOST_SEEN + 2):
            history.seen.add(b"%016d" % number)
            if number % 1000 == 0:
                fill(history, 1)
                await committed(history)
        history.seen.add(b"%016d" % 2)
    async with opened(path, clock) as history:
        again = [history.seen.add(b"%016d" % number) for number in (2, MOST_SEEN + 1, 4, 3, 0)]
        assert again == [False, False, False, False, True]
