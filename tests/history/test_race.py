"""A reader that joins a history on disk while messages arrive: its replay meets what is live without loss or repeat."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from tests.examples import EXAMPLES
from tests.history.sqlite.opening import fill, next_of
from tests.history.ticking import Ticking
from wscli.history.limits import HistoryLimits
from wscli.history.memory import History
from wscli.history.records import GapRecord, Position, Start
from wscli.history.sqlite.log import SqliteLog
from wscli.history.write_behind import WriteBehindHistory

WINDOW = HistoryLimits(keep=50)
BACK = 150
"""Messages that a reader replays at most: on disk from behind the window in memory, often as it moves on."""
REST = 0.001
"""Seconds that the loop waits for a crowd of readers: one that never rests would keep the GIL from the thread that
writes, as no loop does that reads from sockets."""


def somewhere(history: History, chance: random.Random) -> tuple[Start, int]:
    """Begin at a random place; give the number of the first message to come, too."""
    count = chance.randrange(min(BACK, history.last - history.first + 1))
    if chance.random() < 0.5:
        return history.seek_last(count), history.last - count + 1
    after = history.last - count
    return history.seek_after(Position(history.epoch, after)), after + 1


async def read(history: History, start: Start, first: int, until: int) -> None:
    """Read from a place until well into what is live, and see that nothing is lost or repeated."""
    assert start.gap is None
    cursor, number, gaps = start.cursor, first, 0
    while number <= until:
        item, after = await next_of(history, cursor)
        assert after > cursor
        cursor = after
        if isinstance(item, GapRecord):
            assert (item.reason, item.after) == ("outage", number - 1)
            gaps += 1
        else:
            assert item.first == number
            assert item.payloads == [b"%d" % one for one in range(number, item.last + 1)]
            number = item.last + 1
        if gaps and number % 10 == 1:
            await asyncio.sleep(0)  # let it move on between two reads


@pytest.mark.timeout(600)
async def test_readers_that_join_a_history_on_disk_lose_and_repeat_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wscli.history.write_behind.WINDOW", WINDOW)
    history = WriteBehindHistory(
        SqliteLog(tmp_path / "news.db", HistoryLimits(store="disk", sync="normal")), clock=Ticking()
    )
    chance = random.Random(5)
    readers: set[asyncio.Task[None]] = set()
    async with asyncio.timeout(300), asyncio.TaskGroup() as group:
        for turn in range(EXAMPLES + 40):
            fill(history, chance.randrange(1, 6))
            if chance.random() < 0.1:
                history.record_gap("outage")
            if turn < EXAMPLES and history.last > 5:
                start, first = somewhere(history, chance)
                task = group.create_task(read(history, start, first, history.last + 20))
                readers.add(task)
                task.add_done_callback(readers.discard)
            await asyncio.sleep(0)
            while len(readers) > 40:
                fill(history, 1)
                await asyncio.sleep(REST)
        while readers:
            fill(history, 1)
            await asyncio.sleep(REST)
    await history.close()
