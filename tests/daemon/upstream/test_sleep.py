"""The keep-alive wheel when the machine slept, or the program stood still."""

from __future__ import annotations

from unittest.mock import Mock

from tests.daemon.upstream.peers import ON_DEMAND, Bench
from wscli.daemon.upstream.keepalive import GRACE, TICK


async def test_a_deadline_that_was_missed_in_a_stall_leaves_a_short_time_for_the_pong_once_a_ping(b: Bench) -> None:
    """After a stall the pong may wait unread in the socket; the peer is not to blame."""
    peer = b.peer(rtt=None)
    watch = b.add(peer, ON_DEMAND)
    watch.probe()
    await b.time.settle()
    b.time.stall(30.0)
    await b.time.advance(0.1)
    assert b.dead == []
    peer.waiting[0].set_result(30.1)
    await b.time.advance(10.0)
    assert (b.dead, b.rtts) == ([], [30.1])
    watch.probe()
    await b.time.settle()
    b.time.stall(30.0)
    await b.time.advance(GRACE / 2)
    assert b.dead == []
    b.time.stall(30.0)
    await b.time.advance(0.0)
    assert len(b.dead) == 1


async def test_sleep_is_told_within_a_tick_of_the_wake(b: Bench) -> None:
    b.add(b.peer(), ON_DEMAND)
    await b.time.advance(10.0)
    b.time.sleep(3600.0)
    await b.time.advance(TICK)
    assert b.wakes == [3600.0]
    await b.time.advance(60.0)
    assert b.wakes == [3600.0]


async def test_a_started_wheel_notices_sleep_without_connections(b: Bench) -> None:
    b.wheel.start()
    b.wheel.start()
    await b.time.advance(10.0)
    b.time.sleep(2.0)
    await b.time.advance(TICK)
    assert b.wakes == [2.0]
    assert len(b.time.pending) == 1


async def test_less_than_a_second_is_no_sleep(b: Bench) -> None:
    b.wheel.start()
    for _ in range(10):
        b.time.sleep(0.5)
        await b.time.advance(TICK)
    assert b.wakes == []


async def test_what_was_slept_while_nobody_looked_is_not_told(b: Bench) -> None:
    watch = b.add(b.peer())
    watch.cancel()
    b.time.sleep(3600.0)
    b.add(b.peer())
    await b.time.advance(60.0)
    assert b.wakes == []


async def test_a_wake_may_probe_every_connection(b: Bench) -> None:
    peers = [b.peer(rtt=0.1) for _ in range(20)]
    watches = [b.add(peer, ON_DEMAND) for peer in peers]
    b.on_wake = lambda slept: [watch.probe() for watch in watches]
    b.time.sleep(60.0)
    await b.time.advance(TICK + 1)
    assert [len(peer.pinged) for peer in peers] == [1] * 20


async def test_a_silent_connection_costs_a_look_every_few_seconds_and_no_more(b: Bench) -> None:
    b.time.boottime = Mock(side_effect=b.time.boottime)  # type: ignore[method-assign]  # counts the looks
    b.add(b.peer(), ON_DEMAND)
    await b.time.advance(300.0)
    assert 90 <= b.time.boottime.call_count <= 110
