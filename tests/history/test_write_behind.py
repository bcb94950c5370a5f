"""A history over a remote log: it opens late, changes its epoch under readers, and refuses what its owner lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from operator import itemgetter

import pytest

from tests.history.remote import RemoteLog
from tests.history.sqlite.opening import committed, next_of
from tests.history.ticking import Ticking
from tests.waiting import eventually
from wscli.control.frames import DATA, FrameReader
from wscli.daemon.fanout.sources import HistorySource, Merger, Options
from wscli.errors import WscliError
from wscli.history.limits import HistoryLimits
from wscli.history.log import ConsumerPosition, LogBackend
from wscli.history.records import Cursor, GapRecord, Position, Start
from wscli.history.write_behind import WriteBehindHistory

FENCED = "'orders' is written by another owner"


@pytest.fixture
async def log(monkeypatch: pytest.MonkeyPatch) -> RemoteLog:
    monkeypatch.setattr("wscli.history.log_writer.RETRY", 0.001)
    monkeypatch.setattr("wscli.history.log_writer.GROUP", 0.0)
    return RemoteLog()


@pytest.fixture
def faults() -> list[str | None]:
    return []


@pytest.fixture
async def history(log: LogBackend, faults: list[str | None]) -> AsyncIterator[WriteBehindHistory]:
    history = WriteBehindHistory(log, clock=Ticking(), on_fault=faults.append)
    yield history
    await history.close()


async def read(history: WriteBehindHistory, start: Start | Cursor, count: int) -> list[object]:
    """Read so many messages: each as a text and its position, gaps as records."""
    cursor, gap = start if isinstance(start, Start) else Start(start)
    seen: list[object] = [] if gap is None else [gap]
    async with asyncio.timeout(60):
        while count > 0:
            item, cursor = await next_of(history, cursor)
            if isinstance(item, GapRecord):
                seen.append(item)
            else:
                seen += [f"{item.epoch}:{seq} {data.decode()}" for seq, data in enumerate(item.payloads, item.first)]
                count -= len(item)
    return seen


async def test_until_the_log_is_open_a_read_answers_none_and_then_readers_are_woken(
    history: WriteBehindHistory, log: RemoteLog
) -> None:
    start = history.seek_last(0)
    history.append([b"a"], None)
    reading, opened = asyncio.create_task(read(history, start, 2)), asyncio.create_task(history.opened())
    await asyncio.sleep(0)
    assert history.read(start.cursor) is None
    assert not opened.done()
    log.reachable.set()
    await opened
    history.append([b"b"], None)
    assert await reading == ["epoch1:1 a", "epoch1:2 b"]


async def test_messages_from_before_the_opening_follow_those_that_the_log_holds(
    history: WriteBehindHistory, log: RemoteLog
) -> None:
    log.write_elsewhere(b"old", b"older")
    history.append([b"a", b"b"], None)
    history.record_gap("paused", start=8.0, end=9.0)
    late = history.seek_last(0)
    history.append([b"c"], None)
    log.reachable.set()
    await committed(history)
    assert (history.epoch, history.first, history.last) == ("epoch2", 1, 5)
    outage = GapRecord(2, "outage", start=5.0, end=Ticking().now)
    paused = GapRecord(4, "paused", start=8.0, end=9.0)
    old = ["epoch1:1 old", "epoch1:2 older"]
    ours = ["epoch2:3 a", "epoch2:4 b"]
    assert await read(history, history.seek_start(), 5) == [*old, outage, *ours, paused, "epoch2:5 c"]
    assert await read(history, late, 1) == ["epoch2:5 c"], "it began behind what had come by then"
    assert [one.gap for one in log.gaps] == [outage, paused]
    assert history.gaps == {"outage": 1, "paused": 1}


async def test_a_refused_append_is_stated_and_its_messages_are_committed_behind_the_other_owners(
    history: WriteBehindHistory, log: RemoteLog, faults: list[str | None]
) -> None:
    log.reachable.set()
    history.append([b"a"], None)
    await committed(history)
    kept_up = await read(history, history.seek_start(), 1)
    assert kept_up == ["epoch1:1 a"]
    log.reachable.clear()
    log.write_elsewhere(b"theirs")
    history.append([b"b", b"c"], None)
    assert await read(history, Cursor(1, 0, "epoch1"), 2) == ["epoch1:2 b", "epoch1:3 c"], "readers go on"
    await eventually(lambda: faults == [FENCED])
    assert (history.committed, log.last) == (1, 2), "nothing of it was written"
    log.reachable.set()
    await eventually(lambda: history.epoch == "epoch3")
    await committed(history)
    assert faults == [FENCED, None], "it is solved"
    rest = ["epoch2:2 theirs", "epoch3:3 b", "epoch3:4 c"]
    assert await read(history, Cursor(1, 0, "epoch1"), 3) == rest, "a reader of what was committed goes on"
    reset = GapRecord(1, "reset")
    assert await read(history, Cursor(3, 0, "epoch1"), 3) == [reset, *rest], "another is told what it saw is gone"
    assert await read(history, history.seek_after(Position("epoch1", 3)), 3) == [reset, *rest], "so is a script"


async def test_a_live_reader_is_given_records_of_the_epoch_of_each_batch_and_told_when_it_changes(
    history: WriteBehindHistory, log: RemoteLog
) -> None:
    log.reachable.set()
    history.append([b"a"], None)
    await committed(history)
    merger = Merger([HistorySource("orders", history, history.seek_start())], Options("json"))
    sent = b"".join(merger.take())
    log.write_elsewhere()
    history.append([b"b"], None)
    await eventually(lambda: history.epoch == "epoch3")
    frames = FrameReader()
    for data in (sent, b"".join(merger.take())):
        frames.space()[: len(data)] = data
        frames.received(len(data))
    seen: list[object] = []
    while (frame := frames.next_frame()) is not None:
        body = bytes(frame.body)
        seen.append(itemgetter("epoch", "seq", "data")(json.loads(body)) if frame.kind == DATA else body)
    assert seen == [("epoch1", 1, "a"), b"epoch3", ("epoch3", 2, "b")]


async def test_an_append_that_fails_is_stated_and_tried_again_in_the_same_epoch(
    history: WriteBehindHistory, log: RemoteLog, faults: list[str | None]
) -> None:
    log.reachable.set()
    await history.opened()
    log.failures.append(WscliError("no answer within 5 s"))
    history.append([b"a"], None)
    await committed(history)
    assert (history.epoch, faults) == ("epoch1", ["no answer within 5 s", None])
    assert [batch.payloads for batch in log.batches] == [[b"a"]]


async def test_what_overflowed_before_the_opening_is_a_gap_with_its_number(
    history: WriteBehindHistory, log: RemoteLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.append([b"a"], None)
    history.overflow()
    history.append([b"b", b"c"], None)
    history._overflowing = False
    history.append([b"d"], None)
    log.write_elsewhere(b"old")
    log.reachable.set()
    await eventually(lambda: history.committed == history.last)
    history._limits = HistoryLimits(keep=1)
    history.append([b"e"], None)
    seen = await read(history, Cursor(1, 1, history.epoch), 3)
    assert seen == ["epoch2:2 a", GapRecord(2, "disk", missed=2), "epoch2:5 d", "epoch2:6 e"]


async def test_a_consumer_keeps_its_position_through_epochs(history: WriteBehindHistory, log: RemoteLog) -> None:
    log.write_elsewhere(b"old", b"older")
    log.consumers["billing"] = ConsumerPosition(Cursor(1, 0, "before"), 1.0)
    log.reachable.set()
    await history.opened()
    lease = history.consumers.take("billing", 41)
    assert lease.start.cursor.seq == 1
    history.append([b"a"], None)
    await committed(history)
    lease.move(Cursor(3, 1, history.epoch))
    await lease.confirmed()
    log.write_elsewhere(b"theirs")
    history.append([b"b"], None)
    await eventually(lambda: history.committed == 5)
    (info,) = history.consumers.list()
    assert (info.position, info.lag) == (Position("epoch4", 3), 2)
    assert await read(history, Start(log.consumers["billing"].cursor), 2) == ["epoch3:4 theirs", "epoch4:5 b"]


async def test_messages_of_a_log_that_never_opened_are_counted_at_the_end(log: RemoteLog) -> None:
    faults: list[str | None] = []
    history = WriteBehindHistory(log, clock=Ticking(), on_fault=faults.append)
    history.append([b"a", b"b"], None)
    history.end()
    await history.close()
    assert faults == ["'orders' was never opened: 2 messages are not kept"]


async def test_a_reader_behind_the_window_is_told_of_skipped_messages_while_the_log_is_slow(
    history: WriteBehindHistory, log: RemoteLog
) -> None:
    log.reachable.set()
    await history.opened()
    log.appending.clear()
    history._limits = HistoryLimits(keep=1)
    history.overflow()
    for payload in (b"a", b"b", b"c"):
        history.append([payload], None)
    seen = await read(history, Cursor(0, 0, history.epoch), 1)
    assert seen == [GapRecord(0, "disk", missed=2), "epoch1:3 c"]
    assert history.gaps == {"disk": 1}
    log.appending.set()
