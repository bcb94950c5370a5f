"""Three hundred channels lose their server at once: they come back paced, all of them, and fetch no token."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.backend.server import Backend
from tests.e2e.live import Dials, all_in, config, live, until
from wscli.core.states import ChannelState

CHANNELS = 300
MOST = 112
"""Dials in a second: the budget's 1.1 * rate + 1 of `ConnectBudget`, and one that was held up on its way."""


async def test_a_herd_that_loses_its_server_returns_within_its_budget_and_with_its_token(tmp_path: Path) -> None:
    dials = Dials()
    channels = (f"c{n}: {{endpoint: api, path: /consultations/{n}}}" for n in range(CHANNELS))
    more = {"endpoint": "connect: {rate: 100/s, timeout: 60s}, compression: none", "backoff": "initial: 100ms, max: 1s"}
    async with (
        Backend(token_life=3600.0) as backend,
        live(tmp_path, config(backend, channels, **more), dials) as manager,
    ):
        await all_in(manager, ChannelState.READY)
        backend.dials.clear()
        await backend.kick(abort=True)
        await until(manager, lambda: all(channel.counters.connects == 2 for channel in manager.channels()))
        await all_in(manager, ChannelState.READY)
        assert len(backend.clients) == len(backend.dials) == CHANNELS
        await backend.be_gone(lambda: asyncio.sleep(1.0))
        await until(manager, lambda: all(channel.counters.connects == 3 for channel in manager.channels()))
        await all_in(manager, ChannelState.READY)
        assert len(backend.clients) == CHANNELS
        assert dials.most_within(1.0) <= MOST
        assert backend.token_requests == 1
