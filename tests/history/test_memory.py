"""The memory history in cases that chance seldom meets; test_machine.py has the window, the seeks and the readers."""

from __future__ import annotations

import pytest

from tests.history.sqlite.opening import drain, fill
from wscli.history.gaps import GAPS_AFTER_ONE
from wscli.history.limits import HistoryLimits
from wscli.history.memory import BATCH_BYTES, BATCH_MESSAGES, History
from wscli.history.records import Batch, Cursor, GapRecord, Position, new_epoch


def history_of(clock, *, keep=100, max_size=1 << 20, epoch="k3f9"):
    return History(HistoryLimits(keep=keep, max_size=max_size), clock=clock, epoch=epoch)


def items(history, cursor):
    """Read to the end."""
    while (found := history.read(cursor)) is not None:
        cursor = found.cursor
        yield found.item


async def test_an_empty_history_begins_at_one(clock):
    history = history_of(clock)
    history.append([], None)
    assert (history.first, history.last, history.size) == (1, 0, 0)
    assert history.read(history.seek_last(0).cursor) is None
    assert await drain(history, history.seek_start()) == []


def test_the_newest_batch_stays_however_large(clock):
    history = history_of(clock, keep=1, max_size=1024)
    history.append([b"x" * 5000, b"y"], None)
    assert (history.first, history.last) == (1, 2)


def test_a_large_append_is_cut_into_batches(clock):
    history = history_of(clock, keep=10_000)
    kinds = bytes(b"tb"[number % 2] for number in range(BATCH_MESSAGES * 2 + 1))
    history.append([b"%d" % (number + 1) for number in range(len(kinds))], kinds)
    batches = list(items(history, Cursor(0, 0, history.epoch)))
    assert [len(batch) for batch in batches] == [BATCH_MESSAGES, BATCH_MESSAGES, 1]
    assert b"".join(batch.kinds for batch in batches) == kinds


def test_an_append_of_many_bytes_is_cut_as_well_but_not_within_a_message(clock):
    history = history_of(clock, max_size=64 << 20)
    history.append([b"a" * (BATCH_BYTES - 1), b"b", b"c" * BATCH_BYTES * 2, b"d"], None)
    sizes = [batch.size for batch in items(history, Cursor(0, 0, history.epoch))]
    assert sizes == [BATCH_BYTES, BATCH_BYTES * 2, 1]


async def test_last_zero_begins_with_what_comes_next(clock):
    history = history_of(clock)
    fill(history, 3)
    history.record_gap("outage")
    start = history.seek_last(0)
    assert await drain(history, start) == []
    history.record_gap("paused")
    fill(history, 1)
    assert await drain(history, start) == [("paused", 3, None), 4]


async def test_since_loses_nothing_when_the_wall_clock_stepped_back(clock):
    history = history_of(clock)
    since = clock.now
    for step in (0, 10, -100, 50):
        clock.now += step
        fill(history, 1)
    assert await drain(history, await history.seek_since(since)) == [1, 2, 3, 4]


async def test_since_from_before_the_window_says_so(clock):
    history = history_of(clock, keep=2)
    began = clock.now
    for _ in range(4):
        fill(history, 1)
        clock.now += 1
    assert await drain(history, await history.seek_since(began)) == [("truncated", 2, None), 3, 4]
    assert await drain(history, await history.seek_since(began + 1.5)) == [3, 4]


@pytest.mark.parametrize("position", [Position("zzzz", 1), Position("k3f9", 5)])
async def test_after_a_position_of_another_numbering_begins_anew(clock, position):
    history = history_of(clock)
    fill(history, 4)
    assert await drain(history, history.seek_after(position)) == [("reset", 0, None), 1, 2, 3, 4]


async def test_gaps_after_one_message_are_bounded_and_the_last_tells_of_the_others(clock):
    history = history_of(clock)
    fill(history, 1)
    live = history.seek_last(0)
    for number in range(GAPS_AFTER_ONE + 10):
        history.record_gap("outage", start=float(number), end=number + 0.5, missed=1)
        if number == GAPS_AFTER_ONE + 4:  # a reader that followed until here
            cursor = live.cursor
            while (found := history.read(cursor)) is not None:
                cursor = found.cursor
    late = await drain(history, history.seek_after(Position("k3f9", 1)))
    assert len(late) == GAPS_AFTER_ONE
    assert late[-1] == ("outage", 1, 11)
    assert history.read(cursor).item == GapRecord(1, "outage", float(GAPS_AFTER_ONE - 1), GAPS_AFTER_ONE + 9.5, 11)
    assert history.gaps == {"outage": GAPS_AFTER_ONE + 10}


def test_lag_is_the_share_of_the_window_by_count_or_by_bytes(clock):
    history = history_of(clock, keep=100, max_size=2048)
    fill(history, 25, 25)
    assert history.lag(Cursor(50, 0, history.epoch)) == 0.0
    assert history.lag(Cursor(25, 0, history.epoch)) == 0.25
    history.append([b"x" * 1024], None)
    assert history.lag(Cursor(50, 0, history.epoch)) == 0.5
    fill(history, *[1] * 200)
    assert history.lag(Cursor(50, 0, history.epoch)) >= 1.0


def test_subscribers_are_woken_by_messages_and_gaps_until_they_leave(clock):
    history = history_of(clock)
    woken = []
    leave = history.subscribe(lambda: woken.append(history.last))
    fill(history, 1)
    history.record_gap("outage")
    leave()
    fill(history, 1)
    assert woken == [1, 1]


def test_an_epoch_is_drawn_anew_for_each_history(clock):
    limits = HistoryLimits()
    one, other = (History(limits, clock=clock) for _ in range(2))
    assert one.epoch != other.epoch
    assert Position.parse(f"{new_epoch()}:1").seq == 1


def test_a_position_reads_as_it_is_written():
    assert Position.parse("k3f9:17") == Position("k3f9", 17)
    assert str(Position("k3f9", 17)) == "k3f9:17"


@pytest.mark.parametrize("text", ["", "17", "k3f9", "k3f9:", "k3f9:-1", "K3F9:1", "k3f9:1\n", "k3f9:" + "9" * 30])
def test_an_invalid_position_is_refused(text):
    with pytest.raises(ValueError, match="is not a cursor"):
        Position.parse(text)


def test_a_part_of_a_batch_knows_its_place():
    batch = Batch(5, 1.0, [b"a", b"bb", b"ccc"], b"tbt", epoch="k3f9", offset=100)
    part = batch.part(6, 7)
    assert (part.first, part.last, part.payloads, part.kinds) == (6, 7, [b"bb", b"ccc"], b"bt")
    assert (part.size, part.offset) == (5, 101)
    assert batch.part(1, 9) is batch
