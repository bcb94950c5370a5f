"""What comes over a channel reaches its history, and what keeps it from that is stated."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path

from tests.daemon.scripted import Scripted, channel_plan, closed, scripted
from wscli.history.limits import HistoryLimits

ON_DISK = channel_plan(history=HistoryLimits(store="disk"))


def damage_gaps(state: Path) -> None:
    (path,) = state.glob("wscli/app/news.*.db")
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        database.execute("UPDATE gaps SET missed = 7")


async def test_a_history_that_falls_behind_is_stated_until_it_has_caught_up(it: Scripted) -> None:
    it.channel.intake._history_full(True)  # what a history on disk says of itself
    assert it.channel.problems.texts() == []
    await it.time.advance(1.0)
    assert it.channel.problems.texts() == [
        "history behind: it is written more slowly than messages arrive; some are not kept"
    ]
    it.channel.intake._history_full(False)
    assert it.channel.problems.texts() == []
    assert it.channel.counters.gaps == {"disk": 1}


async def test_a_history_with_damaged_gaps_is_opened_without_them_and_that_is_stated(tmp_path: Path) -> None:
    async with scripted(ON_DISK, state=tmp_path) as it:
        it.server.link.say("one")
        it.server.link.end(closed(1006))
        await it.time.advance(2.0)
        it.server.link.say("two")
    damage_gaps(tmp_path)
    async with scripted(ON_DISK, state=tmp_path) as it:
        await asyncio.sleep(0)
        (problem,) = it.channel.status()["problems"]
        assert problem.startswith("history: ")
        assert problem.endswith("holds damaged gaps, positions or kept values; they are left out")
        assert it.channel.history.last == 2
