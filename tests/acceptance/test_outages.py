"""A hundred outages in a row leave nothing behind: no descriptor, no thread, no task, no memory."""

from __future__ import annotations

import asyncio
import gc
import threading
from pathlib import Path

import psutil

from tests.acceptance.live import all_in, live, until
from wscli.demo.server import DemoServer
from wscli.states import ChannelState

OUTAGES = 100


async def test_a_hundred_outages_leave_nothing_behind(tmp_path: Path) -> None:
    async with DemoServer(port=0, interval=None, calls=None, token_life=3600.0) as demo:
        text = f"""
version: 1
endpoints:
  api: {{url: "{demo.ws_url}", query: {{token: "{{token.session}}"}}, connect: {{rate: 1000/s}}}}
tokens:
  session: {{http: {{post: {demo.url}/ws-token}}, read: {{token: .token, expires_in: .expires_in}}}}
backoff:
  default: {{initial: 1ms, max: 10ms}}
channels:
  notifications: {{endpoint: api, path: /notifications}}
  calls: {{endpoint: api, path: /calls}}
"""
        async with live(tmp_path, text) as manager:
            process = psutil.Process()
            await all_in(manager, ChannelState.READY)

            async def outages(first: int, count: int) -> None:
                for number in range(first, first + count):
                    await demo.kick(abort=number % 2 == 0)
                    await until(manager, lambda n=number: all(c.counters.connects == n + 2 for c in manager.channels()))
                    await all_in(manager, ChannelState.READY)

            def figures() -> tuple[int, int, int, int]:
                gc.collect()
                held = process.num_fds(), threading.active_count(), len(asyncio.all_tasks())
                return *held, process.memory_info().rss

            await outages(0, OUTAGES)  # what is made once is made by now, and the feed of changes is full
            before = figures()
            await outages(OUTAGES, OUTAGES)
            after = figures()
            assert after[:3] == before[:3]
            assert after[3] - before[3] < 2 << 20
            assert manager.channel("notifications").history.gaps == {"outage": 2 * OUTAGES}
            assert demo.token_requests == 1
            assert demo.connections.peak == 2
