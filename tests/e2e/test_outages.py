"""Outages in a row leave nothing behind: no descriptor, no thread, no task, no memory."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import threading
from pathlib import Path

import psutil
import pytest

from tests.backend.server import Backend
from tests.e2e.live import all_in, config, live, until
from tests.examples import EXAMPLES
from wscli.core.states import ChannelState

COUNT = 1_000 if EXAMPLES >= 10_000 else 100
SOAK = pytest.param(10_000, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])


@pytest.mark.parametrize("count", [COUNT, SOAK])
async def test_outages_in_a_row_leave_nothing_behind(count: int, tmp_path: Path) -> None:
    async with Backend(token_life=3600.0) as demo:
        channels = (
            "notifications: {endpoint: api, path: /notifications}",
            "calls: {endpoint: api, path: /calls, history: {store: disk}}",
        )
        text = config(demo, channels, endpoint="connect: {rate: 1000/s}", backoff="initial: 1ms, max: 10ms")
        async with live(tmp_path, text) as manager:
            process = psutil.Process()
            await all_in(manager, ChannelState.READY)

            async def outages(first: int, count: int) -> None:
                for number in range(first, first + count):
                    await demo.kick(abort=number % 2 == 0)
                    await until(manager, lambda n=number: all(c.counters.connects == n + 2 for c in manager.channels()))
                    await all_in(manager, ChannelState.READY)

            async def figures() -> tuple[int, int, int, int]:
                demo.dials.clear()  # the back end remembers each dial
                gc.collect()
                with contextlib.suppress(AttributeError):  # what glibc keeps for itself is not held by anybody
                    ctypes.CDLL(None).malloc_trim(0)
                held = process.num_fds(), threading.active_count(), len(asyncio.all_tasks())
                return *held, process.memory_info().rss

            warm_up = max(100, count // 4)  # what is made once is made by then, and the feed of changes is full
            await outages(0, warm_up)
            before = await figures()
            await outages(warm_up, count)
            after = await figures()
            assert after[:3] == before[:3]
            assert after[3] - before[3] < 2 << 20
            assert manager.channel("notifications").history.gaps == {"outage": warm_up + count}
            assert demo.token_requests <= 2  # a token is suspected once, after three ends in a row
            assert len(demo.clients) == 2
