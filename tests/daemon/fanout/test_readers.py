"""The fan-out, on real sockets: whole messages, once and in order, at each reader's own pace."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import tracemalloc
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.daemon.framed import FarEnd, socket_pair
from tests.daemon.virtual_time import VirtualTime
from wscli.clock import SystemClock
from wscli.control.frames import CHANNEL, DATA, END, GAP, NOTICE, STATE, End
from wscli.daemon.channel.backpressure import Backpressure
from wscli.daemon.fanout.readers import Reader
from wscli.daemon.fanout.socket_writer import TURN_BYTES
from wscli.daemon.fanout.sources import GATHER_BYTES, HistorySource, Options
from wscli.history import encode as encoding
from wscli.history.limits import HistoryLimits
from wscli.history.memory import BATCH_BYTES, History

OK = End(0, "", None)
MESSAGE = 4000


def history_of(keep=100_000, max_size=256 << 20):
    return History(HistoryLimits(keep=keep, max_size=max_size), clock=SystemClock(), epoch="k3f9")


def fill(history, batches, *, messages=1, size=0):
    """Append batches of messages that begin with their own number."""
    for _ in range(batches):
        history.append([b"%d." % (history.last + 1 + index) + b"x" * size for index in range(messages)], None)


def numbers(data):
    return [int(line.split(b".")[0]) for line in data.splitlines()]


@asynccontextmanager
async def reading(sources, options=None, *, buffer=None, clock=None):
    """A reader under way, and its far end."""
    ours, theirs = socket_pair(buffer=buffer)
    reader = Reader(ours, sources, options or Options(), clock=clock)
    if buffer is not None:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
    running = asyncio.create_task(reader.run())
    await asyncio.sleep(0)
    try:
        yield reader, FarEnd(theirs), running
    finally:
        running.cancel()
        await asyncio.wait([running])
        ours.close()
        theirs.close()


def live(history, name="n", backpressure=None):
    return HistorySource(name, history, history.seek_last(0), backpressure)


async def test_a_batch_is_one_frame_with_its_last_number():
    history = history_of()
    async with reading([live(history)]) as (_, far, _):
        fill(history, 2, messages=3)
        await far.read(frames=2)
        assert far.frames == [(DATA, 3, b"1.\n2.\n3.\n"), (DATA, 6, b"4.\n5.\n6.\n")]


async def test_the_replay_and_what_comes_meanwhile_meet_without_loss_or_repeat():
    history = history_of()
    fill(history, 300, messages=20, size=MESSAGE)
    source = HistorySource("n", history, history.seek_start())
    async with reading([source], buffer=1 << 16) as (reader, far, _):
        for _ in range(50):  # the replay is under way, and blocked
            fill(history, 5, messages=3, size=100)
            await asyncio.sleep(0)
        assert far.frames == []
        reader.finish(OK)
        await far.read(until=END)
        assert numbers(far.data) == list(range(1, 300 * 20 + 50 * 5 * 3 + 1))


async def test_readers_of_different_pace_each_get_everything():
    history = history_of()
    async with reading([live(history)]) as (one, quick, _), reading([live(history)], buffer=1 << 14) as (two, slow, _):
        for _ in range(20):
            fill(history, 2, messages=50, size=MESSAGE)
            await quick.read(frames=history.last // 50)
        assert slow.frames == []
        one.finish(OK)
        two.finish(OK)
        await quick.read(until=END)
        await slow.read(until=END)
        assert numbers(quick.data) == numbers(slow.data) == list(range(1, 2001))


async def test_a_stuck_reader_pins_one_batch_and_is_told_exactly_what_it_missed():
    history = history_of(keep=100, max_size=1 << 20)
    async with reading([live(history)], buffer=1 << 14) as (reader, far, _):
        pinned = 0
        for _ in range(200):
            fill(history, 1, messages=50, size=MESSAGE)
            pinned = max(pinned, reader._writer.pinned)
        assert 0 < pinned <= BATCH_BYTES
        assert history.encoded.size <= encoding.CACHE_BYTES
        reader.finish(OK)
        await far.read(until=END)
        (gap,) = far.json(GAP)
        got = numbers(far.data)
        assert gap["reason"] == "lagged"
        assert got == [*range(1, gap["after"] + 1), *range(gap["after"] + gap["missed"] + 1, 10_001)]
        assert gap["missed"] > 9000


async def test_a_message_larger_than_every_buffer_arrives_whole():
    history = history_of()
    async with reading([live(history)], buffer=1 << 14) as (reader, far, _):
        fill(history, 1, size=5 << 20)
        reader.finish(OK)
        await far.read(until=END)
        assert far.data == b"1." + b"x" * (5 << 20) + b"\n"
        assert far.end == OK


@pytest.mark.parametrize("most", [1, 3, 4, 5, 17, 20])
async def test_the_count_cuts_at_a_message_also_within_a_batch(most):
    history = history_of()
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


async def test_binary_messages_are_not_counted_where_they_are_not_printed():
    history = history_of()
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


async def test_a_client_that_hangs_up_is_noticed_though_nothing_comes():
    history = history_of()
    async with reading([live(history)]) as (_, far, running):
        far.sock.close()
        async with asyncio.timeout(30):
            await running
        assert history._wakes == ()


async def test_a_client_that_hangs_up_in_the_middle_of_a_batch_ends_its_reader_alone():
    history = history_of()
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


async def test_what_a_client_says_in_between_is_of_no_interest():
    history = history_of()
    async with reading([live(history)]) as (_, far, running):
        far.sock.send(b"hello\n")
        fill(history, 1)
        await far.read(frames=1)
        assert not running.done()


async def test_the_end_comes_after_all_that_had_arrived_and_nothing_comes_after_it():
    history = history_of()
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


async def test_without_follow_it_ends_with_what_there_is():
    history = history_of()
    fill(history, 3, messages=2)
    history.record_gap("outage")
    ours, theirs = socket_pair()
    with ours, theirs:
        far = FarEnd(theirs)
        await Reader(ours, [HistorySource("n", history, history.seek_start())], Options(follow=False)).run()
        await far.read(until=END)
    assert numbers(far.data) == [1, 2, 3, 4, 5, 6]
    assert len(far.json(GAP)) == 1
    assert far.end == OK


async def test_a_state_is_told_between_batches():
    history = history_of()
    async with reading([live(history)]) as (reader, far, _):
        reader.tell({"channel": "n", "state": "done"})
        await far.read(frames=1)
        assert far.json(STATE) == [{"channel": "n", "state": "done"}]


async def test_a_reader_that_is_cancelled_says_that_the_manager_goes():
    history = history_of()
    async with reading([live(history)]) as (_, far, running):
        running.cancel()
        await far.read(until=END)
        assert far.end.exit_code == 5


async def test_a_reader_that_is_cancelled_in_the_middle_of_a_batch_does_not_mix_the_two():
    history = history_of()
    async with reading([live(history)], buffer=1 << 14) as (_, far, running):
        fill(history, 1, messages=50, size=MESSAGE)
        running.cancel()
        await asyncio.wait([running])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await far.read(until=END)
        assert far.frames == []
        assert 0 < far.torn < 50 * MESSAGE


class OurEnd:
    """A socket that sends as the test says."""

    def __init__(self, sock, sendmsg):
        self.fileno, self.sendmsg = sock.fileno, sendmsg

    def setsockopt(self, *args):
        pass


async def test_one_turn_of_the_loop_sends_a_bounded_part_of_a_long_replay(monkeypatch):
    history = history_of()
    fill(history, 400, messages=50, size=MESSAGE)
    ours, theirs = socket_pair()
    sent = []

    def take(pieces):  # everything at once
        sent.append(sum(map(len, pieces)))
        return sent[-1]

    with ours, theirs:
        source = HistorySource("n", history, history.seek_start())
        running = asyncio.create_task(Reader(OurEnd(ours, take), [source], Options(follow=False)).run())
        turns = []
        while not running.done():
            before = sum(sent)
            await asyncio.sleep(0)
            turns.append(sum(sent) - before)
        await running
    assert sum(sent) > 400 * 50 * MESSAGE
    assert max(turns) <= TURN_BYTES + GATHER_BYTES + BATCH_BYTES
    assert len([turn for turn in turns if turn]) > 50


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


@pytest.mark.parametrize("size", [0, 300_000])
async def test_a_feed_that_grows_while_it_is_sent_is_sent_on_and_not_into_itself(size):
    history = history_of()
    async with reading([live(history, backpressure=Chatty(history))], buffer=1 << 14) as (_, far, _):
        fill(history, 1, size=size)
        await far.read(frames=50)
        assert numbers(far.data) == list(range(1, 51))


async def test_a_reader_whose_socket_is_full_costs_no_system_call_until_it_is_not():
    history = history_of()
    ours, theirs = socket_pair(buffer=1 << 14)
    tried = []

    def try_to_send(pieces):
        tried.append(len(pieces))
        return ours.sendmsg(pieces)

    with ours, theirs:
        running = asyncio.create_task(Reader(OurEnd(ours, try_to_send), [live(history)], Options()).run())
        await asyncio.sleep(0)
        fill(history, 100, messages=50, size=MESSAGE)
        assert len(tried) <= 2
        running.cancel()
        await asyncio.wait([running])


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


class Upstream:
    """Counts how reading from the server is paused and resumed."""

    def __init__(self, time):
        self.reading = True
        self.pauses = 0
        self.backpressure = Backpressure(self.hold, lambda: None, time, time.schedule)

    def hold(self, holding):
        assert self.reading is holding
        self.reading = not holding
        self.pauses += holding


async def test_a_moving_reader_that_lags_pauses_the_server_until_it_has_caught_up():
    time = VirtualTime()
    upstream, history = Upstream(time), history_of(keep=1000)
    async with reading([live(history, backpressure=upstream.backpressure)], buffer=1 << 15, clock=time) as (_, far, _):
        fill(history, 40, messages=10, size=MESSAGE)
        assert upstream.reading
        fill(history, 20, messages=10, size=MESSAGE)
        assert not upstream.reading
        await far.read(frames=60)
        assert upstream.reading
        assert numbers(far.data) == list(range(1, 601))


async def test_a_reader_that_stops_for_sixty_thousand_messages_costs_little_and_is_told_exactly():
    history = History(HistoryLimits(), clock=SystemClock(), epoch="k3f9")
    async with reading([live(history)]) as (_, still, _), reading([live(history)]) as (_, moving, _):
        tracemalloc.start()
        got = 0
        for _ in range(600):
            fill(history, 1, messages=100, size=1000)
            await moving.read(until=DATA)
            got += len(numbers(moving.data))
            moving.frames.clear()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 16 << 20
        while got < 60_000:
            await moving.read(until=DATA)
            got += len(numbers(moving.data))
            moving.frames.clear()
        assert got == 60_000, "others lose nothing"
        seen, missed = [], 0
        while not seen or seen[-1] < 60_000:
            still.frames.clear()
            await still.read(frames=1)
            seen += numbers(still.data)
            missed += sum(gap["missed"] for gap in still.json(GAP))
        assert len(seen) + missed == 60_000
        assert missed == len(set(range(1, 60_001)) - set(seen))


async def test_a_reader_that_stands_still_paces_nobody():
    time = VirtualTime()
    upstream, history = Upstream(time), history_of(keep=1000)
    async with reading([live(history, backpressure=upstream.backpressure)], buffer=1 << 15, clock=time) as (_, _, _):
        fill(history, 1, messages=20, size=MESSAGE)  # it takes the first bytes, and then no more
        await time.advance(1.5)
        fill(history, 90, messages=10, size=MESSAGE)
        assert upstream.pauses == 0


async def test_a_reader_that_leaves_holds_nobody_back():
    time = VirtualTime()
    upstream, history = Upstream(time), history_of(keep=100)
    async with reading([live(history, backpressure=upstream.backpressure)], buffer=1 << 15, clock=time) as (
        _,
        far,
        running,
    ):
        fill(history, 9, messages=10, size=MESSAGE)
        assert not upstream.reading
        far.sock.close()
        await running
        assert upstream.reading
        assert not time.pending


steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 1), st.integers(1, 30), st.sampled_from([0, 10, 5000])),
        st.tuples(st.just("gap"), st.integers(0, 1)),
        st.tuples(st.just("take"), st.integers(1, 200_000)),
        st.tuples(st.just("turn"), st.integers(1, 3)),
    ),
    max_size=40,
)


@given(steps, st.integers(0, 40), st.sampled_from([1 << 12, 1 << 16, None]))
@settings(deadline=None, max_examples=60)
def test_whatever_the_pace_each_message_comes_once_and_in_order_or_is_counted_as_missed(plan, last, buffer):
    asyncio.run(_follow_plan(plan, last, buffer))


async def _follow_plan(plan, last, buffer):
    histories = [history_of(keep=40), history_of(keep=40)]
    for history in histories:
        fill(history, 5, messages=7)
    sources = [HistorySource(str(index), one, one.seek_last(last)) for index, one in enumerate(histories)]
    begins = [source.cursor.seq for source in sources]
    gaps = [0, 0]
    async with reading(sources, Options(labelled=True), buffer=buffer) as (reader, far, _):
        for step in plan:
            if step[0] == "append":
                fill(histories[step[1]], 1, messages=step[2], size=step[3])
            elif step[0] == "gap":
                histories[step[1]].record_gap("outage")
                gaps[step[1]] += 1
            elif step[0] == "take":
                with contextlib.suppress(BlockingIOError):
                    far.feed(far.sock.recv(step[1]))
            else:
                for _ in range(step[1]):
                    await asyncio.sleep(0)
        reader.finish(OK)
        await far.read(until=END)
    _check(far.frames, histories, begins, gaps)


def _check(frames, histories, begins, gaps):
    """Walk through what came: each channel's next number, or a gap that says how many are missing before it."""
    expected, channel, outages, lagged = list(begins), 0, [0, 0], [False, False]
    for kind, seq, body in frames[:-1]:
        if kind == CHANNEL:
            channel = int(body)
        elif kind == GAP:
            gap = json.loads(body)
            assert gap["after"] == expected[channel]
            if gap["reason"] == "outage":
                outages[channel] += 1
            else:
                lagged[channel] = True
                expected[channel] += gap["missed"]
        else:
            for line in body.splitlines():
                expected[channel] += 1
                assert line.startswith(b"%d\t%d." % (channel, expected[channel]))
            assert seq == expected[channel]
    assert expected == [history.last for history in histories]
    for index in (0, 1):  # an outage within what was missed is told of by the count
        assert outages[index] == gaps[index] or (lagged[index] and outages[index] < gaps[index])
