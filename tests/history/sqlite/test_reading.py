"""Readers of a history on SQLite that are behind its window, and its retention."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from tests.history.sqlite.opening import BIG, Reports, at, beyond_the_window, committed, drain, fill, opened
from tests.history.ticking import Ticking
from wscli.history.records import Position, Start
from wscli.history.sqlite.reader import LogReader
from wscli.history.write_behind import WriteBehindHistory


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
            fill(history, 1, padding=BIG)
        await committed(history)
        for back in (0, 1, 60, 150, 199):
            number = 200 - back
            assert (await drain(history, await history.seek_since(clock.now - back)))[0] == number
        assert await drain(history, await history.seek_since(clock.now + 1)) == []
        assert (await drain(history, await history.seek_since(0.0)))[0] == 1


async def test_messages_beyond_the_limits_are_dropped_and_a_reader_is_told_how_many(path: Path, clock: Ticking) -> None:
    async with opened(path, clock, max_size="4MiB") as history:
        await beyond_the_window(history, 600)
        for _ in range(5):  # each commit drops a bounded number of rows
            fill(history, 1, padding=BIG)
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
