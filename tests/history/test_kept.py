"""What a session keeps beside the messages, and who is told that a message is committed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.history.remote import RemoteLog
from tests.history.sqlite.opening import committed, fill, opened
from tests.history.ticking import Ticking
from tests.waiting import eventually
from wscli.history.limits import HistoryLimits
from wscli.history.memory import History
from wscli.history.write_behind import WriteBehindHistory


async def test_what_was_kept_with_the_messages_is_there_after_a_restart(path: Path, clock: Ticking) -> None:
    async with opened(path, clock) as history:
        assert history.kept == {}
        fill(history, 1)
        history.keep({"sub": {"seq": 1}, "var": {"sid": "ab\udcff", "raw": b"\xff"}})
        history.keep({"sub": {"seq": 2}})
        history.keep({"var": {"sid": "ab\udcff", "big": 2**70}})
    async with opened(path, clock) as history:
        assert history.kept == {"sub": {"seq": 2}, "var": {"sid": "ab\udcff", "big": 2**70}}


async def test_kept_values_are_written_without_a_message_too(path: Path, clock: Ticking) -> None:
    async with opened(path, clock) as history:
        history.keep({"sub": {"seq": 1}})
    async with opened(path, clock) as history:
        history.keep({"sub": {}})
    async with opened(path, clock) as history:
        assert (history.kept, history.last) == ({"sub": {}}, 0)


async def test_damaged_kept_values_are_left_out_and_told(path: Path, clock: Ticking) -> None:
    async with opened(path, clock) as history:
        history.keep({"sub": {"seq": 1}})
    with closing(sqlite3.connect(path)) as database:
        database.execute("""UPDATE kept SET facts = '{"sub":{"seq":7}}'""")
        database.commit()
    async with opened(path, clock) as history:
        assert history.kept == {}


async def test_each_message_is_told_of_once_it_is_committed_and_in_memory_at_once(path: Path, clock: Ticking) -> None:
    told: list[int] = []
    async with opened(path, clock) as history:
        fill(history, 3)
        for number in (1, 3):
            history.when_committed(number, partial(told.append, number))
        assert told == []
        await committed(history)
        assert told == [1, 3]
    memory = History(HistoryLimits(), clock=clock)
    fill(memory, 1)
    memory.when_committed(1, partial(told.append, 7))
    assert told == [1, 3, 7]


@pytest.mark.usefixtures("_quick_retry")
async def test_a_message_that_the_log_refuses_is_told_of_once_it_takes_it(clock: Ticking) -> None:
    log, told = RemoteLog(), list[int]()
    history = WriteBehindHistory(log, clock=clock)
    fill(history, 2)
    history.when_committed(2, partial(told.append, 2))
    log.write_elsewhere(b"x")  # the numbers of ours move behind it
    log.reachable.set()
    await eventually(lambda: told == [2])
    assert history.committed == 3
    await history.close()


async def test_of_a_message_that_is_not_persisted_nothing_is_ever_told(path: Path, clock: Ticking) -> None:
    told: list[int] = []
    async with opened(path, clock) as history:
        history.overflow()
        fill(history, 1)
        history.when_committed(1, partial(told.append, 1))
        history.record_gap("outage")
        await eventually(lambda: not history._queue)
    assert told == []
