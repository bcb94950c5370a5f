"""Readers of every pace: a slow one costs little and is told what it missed, and one that moves paces the server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.daemon.fanout.reading import MESSAGE, OK, fill, history_of, live, numbers, reading
from tests.daemon.framed import socket_pair
from tests.daemon.virtual_time import VirtualTime
from wscli.clock import SystemClock
from wscli.control.frames import CHANNEL, DATA, END, GAP
from wscli.daemon.channel.backpressure import Backpressure
from wscli.daemon.fanout.readers import Reader
from wscli.daemon.fanout.socket_writer import TURN_BYTES
from wscli.daemon.fanout.sources import GATHER_BYTES, HistorySource, Options
from wscli.history import encode as encoding
from wscli.history.limits import HistoryLimits
from wscli.history.memory import BATCH_BYTES, History


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


class OurEnd:
    """A socket that sends as the test says."""

    def __init__(self, sock, sendmsg):
        self.fileno, self.sendmsg = sock.fileno, sendmsg

    def setsockopt(self, *args):
        pass


async def test_one_turn_of_the_loop_sends_a_bounded_part_of_a_long_replay(history, monkeypatch):
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


async def test_a_reader_whose_socket_is_full_costs_no_system_call_until_it_is_not(history):
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


class Upstream:
    """Counts how reading from the server is paused and resumed."""

    def __init__(self):
        self.reading = True
        self.pauses = 0
        self.time = VirtualTime()
        self.pressure = Backpressure(self.hold, lambda: None, self.time, self.time.schedule)

    def hold(self, holding):
        assert self.reading is holding
        self.reading = not holding
        self.pauses += holding


async def test_a_moving_reader_that_lags_pauses_the_server_until_it_has_caught_up():
    upstream, history = Upstream(), history_of(keep=1000)
    async with reading([live(history, "n", upstream.pressure)], buffer=1 << 15, clock=upstream.time) as (_, far, _):
        fill(history, 40, messages=10, size=MESSAGE)
        assert upstream.reading
        fill(history, 20, messages=10, size=MESSAGE)
        assert not upstream.reading
        await far.read(frames=60)
        assert upstream.reading
        assert numbers(far.data) == list(range(1, 601))


async def test_a_reader_that_stands_still_paces_nobody():
    upstream, history = Upstream(), history_of(keep=1000)
    async with reading([live(history, "n", upstream.pressure)], buffer=1 << 15, clock=upstream.time) as (_, _, _):
        fill(history, 1, messages=20, size=MESSAGE)  # it takes the first bytes, and then no more
        await upstream.time.advance(1.5)
        fill(history, 90, messages=10, size=MESSAGE)
        assert upstream.pauses == 0


async def test_a_reader_that_leaves_holds_nobody_back():
    upstream, history = Upstream(), history_of(keep=100)
    async with reading([live(history, "n", upstream.pressure)], buffer=1 << 15, clock=upstream.time) as (_, far, task):
        fill(history, 9, messages=10, size=MESSAGE)
        assert not upstream.reading
        far.sock.close()
        await task
        assert upstream.reading
        assert not upstream.time.pending


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
