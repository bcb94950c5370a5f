"""Segments of a log that are kept for readers behind the window."""

from __future__ import annotations

import asyncio

from tests.waiting import eventually
from wscli.history.log import LogSegment
from wscli.history.read_ahead import KEPT, ReadAhead
from wscli.history.records import Batch


class Recording:
    """A log of one batch a number, two of which fill a third of what is kept; a segment has two batches."""

    name = "news"

    def __init__(self) -> None:
        self.reads: list[int] = []

    async def read(self, number: int, upto: int) -> LogSegment:
        self.reads.append(number)
        return LogSegment([Batch(one, 0.0, [b"x"], None, epoch="k3f9", size=KEPT // 6) for one in (number, number + 1)])


async def test_a_segment_that_is_read_twice_takes_the_place_of_one() -> None:
    log, woken = Recording(), asyncio.Event()
    ahead = ReadAhead(log, committed=lambda: 99, loaded=woken.set, fault=lambda text: None)  # type: ignore[arg-type]
    for number in (3, 2, 1, 9):  # 3 and 2 are read twice
        assert ahead.get(number) is None
        await eventually(lambda number=number: ahead.get(number) is not None)  # type: ignore[misc]
    assert log.reads == [3, 2, 1, 9]
    assert [number for number in (1, 2, 3, 4, 9, 10) if ahead.get(number) is None] == []
