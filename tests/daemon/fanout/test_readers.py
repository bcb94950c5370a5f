"""The fan-out, on real sockets: whole messages, once and in order, at each reader's own pace."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from tests.daemon.fanout.reading import MESSAGE, OK, fill, history_of, live, numbers, reading
from tests.daemon.virtual_time import VirtualTime
from wscli.control.frames import CHANNEL, DATA, END, GAP, NOTICE, STATE, End
from wscli.daemon.channel.backpressure import Backpressure
from wscli.daemon.fanout.sources import HistorySource, Options
from wscli.history import encode as encoding


async def test_a_batch_is_one_frame_with_its_last_number(history):
    async with reading([live(history)]) as (_, far, _):
        fill(history, 2, messages=3)
        await far.read(frames=2)
        assert far.frames == [(DATA, 3, b"1.\n2.\n3.\n"), (DATA, 6, b"4.\n5.\n6.\n")]


async def test_a_message_larger_than_every_buffer_arrives_whole(history):
    async with reading([live(history)], buffer=1 << 14) as (reader, far, _):
        fill(history, 1, size=5 << 20)
        reader.finish(OK)
        await far.read(until=END)
        assert far.data == b"1." + b"x" * (5 << 20) + b"\n"
        assert far.end == OK


@pytest.mark.parametrize("most", [1, 3, 4, 5, 17, 20])
async def test_the_count_cuts_at_a_message_also_within_a_batch(history, most):
    async with reading([live(history)], Options(count=most)) as (_, far, running):
        fill(history, 10, messages=4)
        await running
        await far.read(until=END)
        assert numbers(far.data) == list(range(1, most + 1))
        assert far.frames[-2][1] == most
        assert far.end == OK


async def test_the_count_is_over_all_channels():
    one, other = history_of(), history_of()
    async with reading([live(one, "a"), live(other, "b")], Options(count=5)) as (_, far, running):
        fill(one, 1, messages=3)
        fill(other, 1, messages=9)
        await running
        await far.read(until=END)
        assert numbers(far.data) == [1, 2, 3, 1, 2]


async def test_binary_messages_are_not_counted_where_they_are_not_printed(history):
    async with reading([live(history)], Options(count=2)) as (_, far, running):
        history.append([b"\xff", b"1.", b"\xff\xff", b"2.", b"3."], b"btbtt")
        await running
        await far.read(until=END)
        assert numbers(far.data) == [1, 2]
        assert far.json(NOTICE) == [{"channel": "n", "binary": 2, "bytes": 3}]


async def test_several_channels_are_named_whenever_the_channel_changes():
    one, other = history_of(), history_of()
    sources = [live(one, "a"), live(other, "b/é")]
    async with reading(sources, Options(labelled=True)) as (_, far, _):
        fill(one, 2)
        fill(other, 1)
        other.record_gap("outage")
        fill(one, 1)
        await far.read(frames=8)
        assert [(kind, body) for kind, _, body in far.frames if kind != GAP] == [
            (CHANNEL, b"a"),
            (DATA, b"a\t1.\n"),
            (DATA, b"a\t2.\n"),
            (CHANNEL, "b/é".encode()),
            (DATA, "b/é\t1.\n".encode()),
            (CHANNEL, b"a"),
            (DATA, b"a\t3.\n"),
        ]
        assert far.frames[5][:2] == (GAP, 1)


async def test_channels_take_turns_so_that_a_long_replay_holds_no_other_up():
    long, short = history_of(), history_of()
    fill(long, 100, messages=30, size=MESSAGE)
    fill(short, 1)
    sources = [HistorySource("long", long, long.seek_start()), HistorySource("short", short, short.seek_start())]
    async with reading(sources) as (_, far, _):
        await far.read(frames=4)
        assert (DATA, 1, b"1.\n") in far.frames[:4]


async def test_gaps_stand_where_they_happened_and_the_leading_one_comes_first():
    history = history_of(keep=2)
    fill(history, 4)
    history.record_gap("outage", start=1.0, end=2.5)
    source = HistorySource("n", history, history.seek_last(3))
    async with reading([source]) as (_, far, _):
        fill(history, 1)
        await far.read(frames=5)
        assert [kind for kind, _, _ in far.frames] == [GAP, DATA, DATA, GAP, DATA]
        assert far.json(GAP) == [
            {"channel": "n", "type": "gap", "after": 1, "reason": "truncated", "start": None, "end": None, "missed": 1},
            {"channel": "n", "type": "gap", "after": 4, "reason": "outage", "start": 1.0, "end": 2.5, "missed": None},
        ]


async def test_a_client_that_hangs_up_is_noticed_though_nothing_comes(history):
    async with reading([live(history)]) as (_, far, running):
        far.sock.close()
        async with asyncio.timeout(30):
            await running
        assert history._wakes == ()


async def test_a_client_that_hangs_up_in_the_middle_of_a_batch_ends_its_reader_alone(history):
    async with (
        reading([live(history)], buffer=1 << 14) as (reader, far, running),
        reading([live(history)]) as (_, other, _),
    ):
        fill(history, 5, messages=50, size=MESSAGE)
        assert reader._writer.pinned
        far.sock.close()
        fill(history, 1)
        async with asyncio.timeout(30):
            await running
        assert reader._writer.pinned == 0
        await other.read(frames=6)
        assert numbers(other.data) == list(range(1, 252))


async def test_what_a_client_says_in_between_is_of_no_interest(history):
    async with reading([live(history)]) as (_, far, running):
        far.sock.send(b"hello\n")
        fill(history, 1)
        await far.read(frames=1)
        assert not running.done()


async def test_the_end_comes_after_all_that_had_arrived_and_nothing_comes_after_it(history):
    async with reading([live(history)], buffer=1 << 14) as (reader, far, running):
        fill(history, 20, messages=10, size=MESSAGE)
        reader.finish(End(8, "channel 'n' failed", "start it"))
        reader.finish(OK)  # the first counts
        fill(history, 20, messages=10, size=MESSAGE)
        await far.read(until=END)
        await running
        assert numbers(far.data) == list(range(1, 201))
        assert far.end == End(8, "channel 'n' failed", "start it")
        assert far.frames[-1][0] == END


async def test_without_follow_it_ends_with_what_there_is(history):
    fill(history, 3, messages=2)
    history.record_gap("outage")
    async with reading([HistorySource("n", history, history.seek_start())], Options(follow=False)) as (_, far, running):
        await running
        await far.read(until=END)
        assert numbers(far.data) == [1, 2, 3, 4, 5, 6]
        assert len(far.json(GAP)) == 1
        assert far.end == OK


async def test_a_state_is_told_between_batches(history):
    async with reading([live(history)]) as (reader, far, _):
        reader.tell({"channel": "n", "state": "done"})
        await far.read(frames=1)
        assert far.json(STATE) == [{"channel": "n", "state": "done"}]


async def test_a_reader_that_is_cancelled_says_that_the_manager_goes(history):
    async with reading([live(history)]) as (_, far, running):
        running.cancel()
        await far.read(until=END)
        assert far.end.exit_code == 5


async def test_a_reader_that_is_cancelled_in_the_middle_of_a_batch_does_not_mix_the_two(history):
    async with reading([live(history)], buffer=1 << 14) as (_, far, running):
        fill(history, 1, messages=50, size=MESSAGE)
        running.cancel()
        await asyncio.wait([running])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await far.read(until=END)
        assert far.frames == []
        assert 0 < far.torn < 50 * MESSAGE


async def test_what_goes_wrong_with_one_reader_touches_neither_the_channel_nor_the_others():
    history, broken = history_of(), live(history_of())
    source = live(history)
    async with reading([source]) as (_, far, running), reading([live(history)]) as (_, other, _):
        source.cursor = broken  # a bug of ours: no cursor at all
        fill(history, 3)
        with pytest.raises(TypeError):
            await running
        await other.read(frames=3)
        assert far.frames == []


class Chatty(Backpressure):
    """Logs when it is asked, into what is being read, as a log might."""

    def __init__(self, history):
        time = VirtualTime()
        super().__init__(lambda holding: None, lambda: None, time, time.schedule)
        self.history = history

    def report_lag(self, reader, lag, moved_at):
        if self.history.last < 50:
            fill(self.history, 1)


class Broken(Chatty):
    """Fails once there is something to read."""

    def report_lag(self, reader, lag, moved_at):
        if self.history.last:
            raise RuntimeError("a bug")


async def test_a_bug_behind_the_end_of_a_reader_does_not_reach_who_appended(history, caplog):
    async with reading([live(history, backpressure=Broken(history))], Options(count=1)) as (_, far, running):
        fill(history, 1)
        await running
        await far.read(until=END)
        assert far.data == b"1.\n"
        assert "a bug" in caplog.text


@pytest.mark.parametrize("size", [0, 300_000])
async def test_a_feed_that_grows_while_it_is_sent_is_sent_on_and_not_into_itself(history, size):
    async with reading([live(history, backpressure=Chatty(history))], buffer=1 << 14) as (_, far, _):
        fill(history, 1, size=size)
        await far.read(frames=50)
        assert numbers(far.data) == list(range(1, 51))


async def test_a_batch_is_encoded_once_however_many_read_it(monkeypatch):
    encoded = []
    plainly = encoding.encode_batch
    monkeypatch.setattr(
        encoding, "encode_batch", lambda batch, form: encoded.append(batch.first) or plainly(batch, form)
    )
    history = history_of()
    async with contextlib.AsyncExitStack() as stack:
        ends = [await stack.enter_async_context(reading([live(history)])) for _ in range(10)]
        fill(history, 3)
        for _, far, _ in ends:
            await far.read(frames=3)
    assert encoded == [1, 2, 3]
    assert history.encoded.size == 0  # the last one left: nothing is kept for nobody
