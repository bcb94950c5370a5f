"""Twenty channels through every way of losing a server: all back, with one token, one gap and a true reason."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.backend.server import Backend
from tests.e2e.live import all_in, config, gaps, live, until
from wscli.core.states import ChannelState
from wscli.daemon.registry.manager import Manager

CHANNELS = 20
Live = tuple[Backend, Manager]


@pytest_asyncio.fixture
async def twenty(tmp_path: Path) -> AsyncIterator[Live]:
    async with Backend(token_life=3600.0) as demo:
        channels = (f"c{n}: {{endpoint: api, path: /consultations/{n}}}" for n in range(CHANNELS))
        text = config(demo, channels, endpoint="connect: {rate: 100/s}", backoff="initial: 200ms, max: 500ms")
        async with live(tmp_path, text) as manager:
            await all_in(manager, ChannelState.READY)
            assert demo.token_requests == 1
            yield demo, manager


async def lose(it: Live, how: Callable[[], Awaitable[object]]) -> list[str]:
    """Lose all twenty, and give the reasons that ``status`` showed for waiting until they were back."""
    demo, manager = it
    reasons: list[str] = []

    def note() -> None:
        reasons.extend(one["reason"]["text"] for one in manager.status() if one["state"] == "waiting")

    unsubscribe = manager.changes.subscribe(note)
    await how()
    await until(manager, lambda: all(channel.counters.connects == 2 for channel in manager.channels()))
    await all_in(manager, ChannelState.READY)
    unsubscribe()
    assert len(demo.clients) == CHANNELS
    assert {tuple(gaps(channel)) for channel in manager.channels()} == {("outage",)}
    return sorted(set(reasons))


async def test_after_an_abnormal_close_all_return_with_the_same_token(twenty: Live) -> None:
    demo, _ = twenty
    (reason,) = await lose(twenty, lambda: demo.kick(abort=True))
    assert "without a close frame" in reason
    assert demo.token_requests == 1


async def test_after_an_outage_that_refuses_dials_all_return_with_the_same_token(twenty: Live) -> None:
    demo, manager = twenty

    def refused() -> bool:
        return any("refused" in one["reason"]["text"] for one in manager.status() if one["state"] == "waiting")

    reasons = await lose(twenty, lambda: demo.be_gone(lambda: until(manager, refused)))
    assert any("refused" in reason for reason in reasons), reasons
    assert demo.token_requests == 1


@pytest.mark.parametrize("close", [True, False], ids=["4401", "401"])
async def test_with_a_revoked_token_all_return_with_one_new_token(twenty: Live, close: bool) -> None:
    demo, _ = twenty

    async def revoked() -> None:
        await demo.revoke(close=close)
        if not close:
            await demo.kick(abort=True)

    await lose(twenty, revoked)
    assert demo.token_requests == 2


async def test_503_with_retry_after_is_not_dialled_before_it(twenty: Live) -> None:
    demo, _ = twenty

    async def unavailable() -> None:
        await demo.deny("/ws/consultations/*", status=503, retry_after=1, count=CHANNELS)
        demo.dials.clear()
        await demo.kick(abort=True)

    reasons = await lose(twenty, unavailable)
    assert any("HTTP 503" in reason and "with Retry-After 1s" in reason for reason in reasons), reasons
    refused: dict[str, float] = {}
    for dial in demo.dials:
        if dial.path in refused:
            assert dial.at - refused[dial.path] >= 1.0
        refused[dial.path] = dial.at
    assert len(demo.dials) == 2 * CHANNELS
    assert demo.token_requests == 1
