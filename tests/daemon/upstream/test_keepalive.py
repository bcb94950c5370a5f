"""The keep-alive wheel: spread pings, deadlines that hold, and nothing left behind."""

from __future__ import annotations

import asyncio
import logging
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.daemon.upstream.peers import EVERY_20, ON_DEMAND, Bench, Peer, bench
from tests.daemon.virtual_time import VirtualTime
from wscli.clock import SystemClock
from wscli.config.models.upstream import Keepalive
from wscli.daemon.upstream.keepalive import KeepaliveWheel
from wscli.errors import NotSent


async def test_a_peer_that_answers_is_pinged_every_interval_and_its_round_trips_are_told(b: Bench) -> None:
    peer = b.peer(rtt=0.25)
    b.add(peer)
    await b.time.advance(100.0)
    first = peer.pinged[0]
    assert peer.pinged == pytest.approx([first + 20.0 * number for number in range(5)])
    assert b.rtts == [0.25] * 5
    assert b.dead == []


async def test_a_thousand_connections_opened_at_once_do_not_ping_at_once(b: Bench) -> None:
    peers = [b.peer() for _ in range(1000)]
    for peer in peers:
        b.add(peer)
    await b.time.advance(60.0)
    pings = [at for peer in peers for at in peer.pinged]
    assert len(pings) == 3000
    fullest = max(sum(at <= other < at + 1.0 for other in pings) for at in range(1000, 1059))
    assert fullest < 80, "fifty a second, give or take chance"


async def test_one_timer_serves_all_connections(b: Bench) -> None:
    watches = [b.add(b.peer()) for _ in range(50)]
    for _ in range(30):
        await b.time.advance(0.7)
        assert len(b.time.pending) == 1
    for watch in watches:
        watch.cancel()
    assert b.time.pending == []


@settings(max_examples=100, deadline=None)
@given(
    ping=st.floats(0.5, 60.0), timeout=st.floats(0.5, 60.0), died=st.floats(0.0, 300.0), seed=st.integers(0, 1 << 32)
)
async def test_a_dead_peer_is_noticed_within_ping_and_timeout(
    ping: float, timeout: float, died: float, seed: int
) -> None:
    async with bench(seed) as b:
        peer = b.peer(rtt=0.01)
        b.add(peer, Keepalive(ping=ping, timeout=timeout))
        await b.time.advance(died)
        peer.rtt = None
        last_pong = b.time.now
        await b.time.advance(ping + timeout + 0.02)
        assert len(b.dead) == 1
        assert b.dead[0] - last_pong <= ping + timeout + 0.02
        assert len(b.wheel) == 0


async def test_death_is_told_once_and_ends_the_watch(b: Bench) -> None:
    peer = b.peer(rtt=None)
    watch = b.add(peer)
    b.add(b.peer())  # the wheel goes on for another
    await b.time.advance(25.0)
    for afterwards in (watch.probe, lambda: watch.update(Keepalive(ping=1.0, timeout=1.0)), watch.cancel):
        afterwards()
        await b.time.advance(100.0)
    assert len(b.dead) == 1
    assert len(peer.pinged) == 1
    assert peer.cancelled == 1


async def test_a_pong_after_the_deadline_is_too_late(b: Bench) -> None:
    b.add(b.peer(rtt=5.5))
    await b.time.advance(60.0)
    assert len(b.dead) == 1
    assert b.rtts == []


async def test_the_owner_may_end_the_watch_from_within_a_callback(b: Bench) -> None:
    watch = b.wheel.add(b.peer(), EVERY_20, on_rtt=lambda _: watch.cancel(), on_dead=lambda: None)
    await b.time.advance(60.0)
    assert len(b.wheel) == 0


async def test_a_probe_pings_at_once_and_leaves_the_rhythm(b: Bench) -> None:
    peer = b.peer()
    watch = b.add(peer)
    await b.time.advance(20.0)
    (regular,) = peer.pinged
    watch.probe()
    await b.time.advance(20.0)
    assert peer.pinged == pytest.approx([regular, 1020.0, regular + 20.0])


async def test_a_probe_does_not_ping_beside_a_ping(b: Bench) -> None:
    peer = b.peer(rtt=2.0)
    watch = b.add(peer, ON_DEMAND)
    watch.probe()
    watch.probe()
    await b.time.advance(1.0)
    watch.probe()
    await b.time.advance(2.0)
    assert peer.pinged == [1000.0]
    assert b.rtts == [2.0]


async def test_without_an_interval_only_a_probe_pings(b: Bench) -> None:
    peer = b.peer()
    watch = b.add(peer, ON_DEMAND)
    await b.time.advance(3600.0)
    assert peer.pinged == []
    watch.probe()
    await b.time.advance(1.0)
    assert b.rtts == [0.0]
    peer.rtt = None
    watch.probe()
    await b.time.advance(5.0)
    assert b.dead == [1000.0 + 3606.0]


async def test_cancel_ends_the_ping_under_way(b: Bench) -> None:
    peer = b.peer(rtt=None)
    watch = b.add(peer, ON_DEMAND)
    watch.probe()
    await b.time.settle()
    watch.cancel()
    watch.cancel()
    await b.time.settle()
    assert peer.cancelled == 1
    assert b.time.pending == []
    await b.time.advance(60.0)
    assert (b.dead, b.rtts) == ([], [])


async def test_close_waits_for_pings_that_end_slowly(b: Bench) -> None:
    class Slow(Peer):
        async def ping(self) -> float:
            try:
                return await super().ping()
            finally:
                for _ in range(20):
                    await asyncio.sleep(0)

    b.add(Slow(b.time, rtt=None), ON_DEMAND).probe()
    await b.time.settle()
    await b.wheel.close()
    assert b.time.pending == []


async def test_new_times_apply_in_place(b: Bench) -> None:
    peer = b.peer(rtt=0.5)
    watch = b.add(peer)
    watch.update(Keepalive(ping=1.0, timeout=1.0))
    await b.time.advance(10.0)
    assert len(peer.pinged) >= 9
    count = len(peer.pinged)
    watch.update(ON_DEMAND)
    await b.time.advance(100.0)
    assert len(peer.pinged) == count
    watch.update(EVERY_20)
    await b.time.advance(20.0)
    assert len(peer.pinged) == count + 1


async def test_an_equal_interval_leaves_the_rhythm(b: Bench) -> None:
    peer = b.peer()
    watch = b.add(peer)
    for timeout in range(1, 61):
        await b.time.advance(1.0)
        watch.update(Keepalive(ping=20.0, timeout=float(timeout)))
    first = peer.pinged[0]
    assert peer.pinged == pytest.approx([first, first + 20.0, first + 40.0])


@pytest.mark.parametrize(
    ("timeout", "dead_at"),
    [(2.0, 1006.0), (30.0, 1030.0), (19.0, 1020.0)],
    ids=["shorter: from now", "longer: from the ping", "hardly shorter: no later than before"],
)
async def test_a_new_timeout_concerns_the_ping_under_way(b: Bench, timeout: float, dead_at: float) -> None:
    watch = b.add(b.peer(rtt=None), Keepalive(ping=None, timeout=20.0))
    watch.probe()
    await b.time.advance(4.0)
    watch.update(Keepalive(ping=None, timeout=timeout))
    await b.time.advance(60.0)
    assert b.dead == [dead_at]


async def test_a_link_that_has_ended_reports_it_itself(b: Bench) -> None:
    """Its close code would be lost if the wheel declared it dead."""
    ended, dropped = b.peer(error=NotSent("the connection is closed")), b.peer(error=asyncio.CancelledError())
    b.add(ended)
    b.add(dropped)
    await b.time.advance(40.0)
    assert b.dead == []
    assert (len(ended.pinged), len(dropped.pinged)) == (2, 2)


async def test_a_ping_that_breaks_does_not_silence_the_watch(b: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        b.add(b.peer(error=KeyError("a text that may be secret")), ON_DEMAND).probe()
        await b.time.settle()
    assert len(b.dead) == 1
    assert "KeyError" in caplog.text
    assert "secret" not in caplog.text


async def test_a_callback_that_raises_does_not_stop_the_wheel(b: Bench) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    peer = b.peer()
    b.add(peer)
    b.wheel.add(b.peer(rtt=None), EVERY_20, on_rtt=lambda _: None, on_dead=broken)
    raised = 0
    for _ in range(600):
        try:
            await b.time.advance(0.1)
        except ZeroDivisionError:
            raised += 1
    assert raised == 1
    assert len(peer.pinged) == 3


async def test_on_a_real_loop_a_deaf_peer_is_noticed_in_time_and_a_living_one_is_not() -> None:
    clock, dead = SystemClock(), asyncio.Event()
    rtts: list[float] = []

    class Alive(Peer):
        async def ping(self) -> float:
            begun = time.monotonic()
            await asyncio.sleep(0.001)
            return time.monotonic() - begun

    wheel = KeepaliveWheel(clock=clock, chance=random.Random(3), on_wake=lambda _: None)
    quick = Keepalive(ping=0.05, timeout=0.2)
    patient = Keepalive(ping=0.05, timeout=60.0)
    begun = clock.monotonic()
    wheel.add(Alive(VirtualTime()), patient, on_rtt=rtts.append, on_dead=lambda: pytest.fail("it lives"))
    wheel.add(Peer(VirtualTime(), rtt=None), quick, on_rtt=rtts.append, on_dead=dead.set)
    await asyncio.wait_for(dead.wait(), 30)
    assert clock.monotonic() - begun >= 0.2
    assert rtts
    assert len(wheel) == 1
    await wheel.close()
