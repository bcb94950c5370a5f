"""A source that failed is spared: one backoff and one Retry-After, whoever asks."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.tokens.conftest import BACKOFF, Make, Script, ask, scripted, turns
from wscli.tokens.broker import Broker
from wscli.tokens.errors import SourceFailed, TokenFailed
from wscli.tokens.models import TokenSource

ASKED = SourceFailed("HTTP 429 from https://x.example", retry_after=20.0)


async def fail_often(broker: Broker, script: Script, clock: Any, seconds: float, times: int = 40) -> list[float]:
    """Ask each half second, fail each fetch, and give the seconds at which there was one."""
    began, fetched, tasks = clock.now, [], []
    while clock.now < began + seconds:
        tasks += await ask(broker, times=times)
        while script.waiting:
            fetched.append(clock.now - began)
            await script.fail()
        clock.advance(0.5)
    assert all(isinstance(error, TokenFailed) for error in await asyncio.gather(*tasks, return_exceptions=True))
    return fetched


@pytest.mark.parametrize("single_use", [False, True])
async def test_forty_users_ask_a_failing_source_as_often_as_one(make: Make, clock: Any, single_use: bool) -> None:
    script = Script()
    broker = make({"s": scripted(script, single_use=single_use)})
    assert await fail_often(broker, script, clock, 24) == [0, 1, 3, 7, 15, 23]


async def test_fetches_that_fail_beside_each_other_are_one_failure(make: Make, clock: Any) -> None:
    script = Script()
    broker = make({"s": scripted(script, single_use=True)})
    await ask(broker)
    await script.answer()
    await ask(broker, times=5)
    clock.advance(1)
    for _ in range(5):
        await script.fail()
        clock.advance(0.01)
    assert broker.stats()["s"]["retry_in_s"] == pytest.approx(0.95)


async def test_retry_after_holds_for_all_that_ask_and_for_those_by_hand(
    broker: Broker, script: Script, clock: Any
) -> None:
    await ask(broker)
    await script.fail(ASKED)
    clock.advance(19.9)
    for asking in (broker.get("s"), broker.refresh("s"), broker.get("s", by_hand=True)):
        with pytest.raises(TokenFailed, match=r"HTTP 429 from https://x.example; asked again in 1s") as caught:
            await asking
        assert caught.value.hint == "its endpoint asked to wait; `wscli token forget s` ends the wait"
    assert script.begun == 1
    broker.network_changed()
    await ask(broker)
    assert script.begun == 1
    broker.forget("s")
    await ask(broker)
    assert script.begun == 2


@pytest.mark.parametrize("how", ["refresh", "by hand", "network", "forget", "reload"])
async def test_a_wait_that_no_endpoint_asked_for_ends_early(broker: Broker, script: Script, how: str) -> None:
    await ask(broker)
    await script.fail()
    with pytest.raises(TokenFailed, match="asked again in 1s") as caught:
        await broker.get("s")
    assert caught.value.hint == "`wscli token refresh s` asks at once"
    new = script
    if how == "network":
        broker.network_changed()
    elif how == "forget":
        broker.forget("s")
    elif how == "reload":
        new = Script()
        broker.replace({"s": scripted(new)}, BACKOFF)
    asking = {"refresh": lambda: broker.refresh("s"), "by hand": lambda: broker.get("s", by_hand=True)}
    task = asyncio.ensure_future(asking.get(how, lambda: broker.get("s"))())
    await turns()
    await new.answer("new")
    assert task.result().value.reveal() == "new"
    assert (broker.stats()["s"]["reason"], broker.stats()["s"]["retry_in_s"]) == (None, None)


async def test_a_success_ends_the_backoff(broker: Broker, script: Script, clock: Any) -> None:
    assert await fail_often(broker, script, clock, 7.5, times=1) == [0, 1, 3, 7]
    clock.advance(8)
    await ask(broker)
    await script.answer()
    broker.forget("s")
    assert (await fail_often(broker, script, clock, 2, times=1)) == [0, 1]


async def test_a_source_that_needs_a_failing_one_waits_as_long_and_asks_nothing(make: Make, clock: Any) -> None:
    app, other, session = Script(), Script(), Script(frozenset({"a", "app"}))
    broker = make({"s": scripted(session), "a": scripted(other, single_use=True), "app": scripted(app)})
    await ask(broker, times=3)
    await other.answer()
    await app.fail(ASKED)
    for _ in range(5):
        with pytest.raises(TokenFailed, match="token 's': needs token 'app': HTTP 429"):
            await broker.get("s")
    assert (app.begun, other.begun, broker.stats()["s"]["retry_in_s"]) == (1, 1, 20.0)
    clock.advance(20)
    await ask(broker)
    await other.answer()
    assert app.begun == 2


async def test_the_file_may_cut_a_long_retry_after(make: Make, endpoint: Any) -> None:
    endpoint.say(status=503, headers={"Retry-After": "7200"})
    keys = {"http": {"post": endpoint.url}}
    broker = make({"given": keys, "cut": {**keys, "retry_after_max": "10m"}})
    for name, seconds in (("given", 7200.0), ("cut", 600.0)):
        with pytest.raises(TokenFailed) as caught:
            await broker.get(name)
        assert caught.value.failure.retry_after == seconds


async def test_a_file_and_a_variable_are_looked_at_each_time(make: Make, tmp_path: Path) -> None:
    broker = make({"f": {"file": "token"}, "e": {"env": "UNSET"}, "v": {"value": "{token.f}"}})
    for name in ("f", "e", "v"):
        with pytest.raises(TokenFailed) as caught:
            await broker.get(name)
        assert caught.value.failure.retry_after is None
    (tmp_path / "token").write_text("t")
    assert (await broker.get("v")).value.reveal() == "t"
    assert TokenSource.model_validate({"env": "A"}).local


async def test_a_failure_and_its_end_are_logged_once_each(
    broker: Broker, script: Script, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "wscli")
    await fail_often(broker, script, clock, 7.5)
    clock.advance(8)
    await ask(broker)
    await script.answer()
    text = "token 's': HTTP 500 from https://api.example.com/ws-token"
    assert caplog.messages == [text, "token 's' is fetched again"]
