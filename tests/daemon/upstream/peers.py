"""A keep-alive wheel in virtual time, and the peers that it pings."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.daemon.virtual_time import VirtualTime
from wscli.config.models.upstream import Keepalive
from wscli.daemon.upstream.keepalive import KeepaliveWatch, KeepaliveWheel

EVERY_20 = Keepalive(ping=20.0, timeout=5.0)
ON_DEMAND = Keepalive(ping=None, timeout=5.0)


class Peer:
    """A link whose pongs come when the test says so: after ``rtt`` seconds, or by hand or never (``rtt`` None).

    It can only be pinged: its owner sends, closes and aborts, never the wheel.
    """

    def __init__(self, time: VirtualTime, rtt: float | None = 0.0, error: BaseException | None = None) -> None:
        self.time, self.rtt, self.error = time, rtt, error
        self.pinged: list[float] = []
        self.waiting: list[asyncio.Future[float]] = []
        self.cancelled = 0

    async def ping(self) -> float:
        self.pinged.append(self.time.now)
        if self.error is not None:
            raise self.error
        pong: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.waiting.append(pong)
        if (rtt := self.rtt) is not None:
            self.time.schedule(rtt, lambda: pong.done() or pong.set_result(rtt))
        try:
            return await pong
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


class Bench:
    """A wheel in virtual time, and what it called back."""

    def __init__(self, seed: int) -> None:
        self.time = VirtualTime()
        self.wakes: list[float] = []
        self.rtts: list[float] = []
        self.dead: list[float] = []
        self.on_wake: Callable[[float], None] = self.wakes.append
        self.wheel = KeepaliveWheel(
            clock=self.time,
            chance=random.Random(seed),
            on_wake=lambda slept: self.on_wake(slept),
            schedule=self.time.schedule,
        )

    def add(self, peer: Peer, keepalive: Keepalive = EVERY_20) -> KeepaliveWatch:
        return self.wheel.add(peer, keepalive, on_rtt=self.rtts.append, on_dead=lambda: self.dead.append(self.time.now))

    def peer(self, rtt: float | None = 0.0, error: BaseException | None = None) -> Peer:
        return Peer(self.time, rtt, error)


@asynccontextmanager
async def bench(seed: int = 7) -> AsyncIterator[Bench]:
    """Make a wheel, and see that it leaves neither timer nor task."""
    made = Bench(seed)
    try:
        yield made
    finally:
        await made.wheel.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}, "close() left a task"
        assert len(made.wheel) == 0
