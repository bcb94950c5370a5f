"""One fetch for everybody, and what a refusal, a failure, a cancellation and a reload do to it."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from tests.tokens.conftest import Make, Script, ask, filled, scripted, turns
from wscli.core.failures import FailureKind
from wscli.errors import ExitCode
from wscli.tokens.broker import Broker
from wscli.tokens.errors import SourceFailed, TokenFailed

STATS = {"expires_in_s": None, "failures": 0, "reason": None, "retry_in_s": None}


async def test_one_fetch_serves_all_who_ask(broker: Broker, script: Script) -> None:
    tasks = await ask(broker, times=20)
    assert broker.stats()["s"]["state"] == "fetching"
    await script.answer("abc")
    tokens = [task.result() for task in tasks]
    assert script.begun == 1
    assert {token.value.reveal() for token in tokens} == {"abc"}
    assert (await broker.get("s")) is tokens[0]
    assert broker.stats()["s"] == {"state": "valid", **STATS, "fetches": 1, "served": 21}


async def test_peek_neither_fetches_nor_counts(broker: Broker, script: Script, clock: Any) -> None:
    assert broker.peek("s") is None
    token = await filled(broker, script, life=10)
    clock.advance(9)
    assert broker.peek("s") is token
    clock.advance(1)
    assert broker.peek("s") is None
    assert broker.stats()["s"]["state"] == "expired"
    assert broker.peek("unknown") is None
    assert (script.begun, broker.stats()["s"]["served"]) == (1, 1)


async def test_a_cancelled_caller_leaves_the_fetch_to_the_others_and_to_the_cache(
    broker: Broker, script: Script
) -> None:
    first, second, third = await ask(broker, times=3)
    first.cancel()
    await turns()
    assert first.cancelled()
    assert [task.done() for task in (second, third)] == [False, False]
    third.cancel()
    await script.answer()
    assert second.result().value.reveal() == "t"
    broker.forget("s")
    (last,) = await ask(broker)
    last.cancel()
    await turns()
    await script.answer()
    assert broker.peek("s") is not None


async def test_past_refresh_the_old_one_is_served_while_one_fetch_runs_for_its_users(make: Make, clock: Any) -> None:
    script = Script()
    broker = make({"s": scripted(script, refresh=0.5)})
    await turns()
    assert (script.begun, broker.stats()["s"]["state"]) == (0, "empty"), "nothing is fetched without a user"
    old = await filled(broker, script, "old", life=100)
    clock.advance(49)
    assert await broker.get("s") is old
    clock.advance(1)
    await turns()
    assert script.begun == 1, "nothing is refreshed without a user"
    for _ in range(5):
        assert await broker.get("s") is old
    await turns()
    assert script.begun == 2
    await script.answer("new", 100)
    new = await broker.get("s")
    assert new.value.reveal() == "new"
    assert new.version > old.version


async def test_a_failed_background_fetch_is_tried_again_after_a_pause_and_has_no_effect_until_expiry(
    broker: Broker, script: Script, clock: Any
) -> None:
    old = await filled(broker, script, life=100)
    for seconds, begun in ((80, 2), (0, 2), (0.9, 2), (0.1, 3), (11, 3)):
        clock.advance(seconds)
        assert await broker.get("s") is old
        await turns()
        assert script.begun == begun, "not at every use: by the backoff, or as long as the server asks for"
        if script.waiting:
            await script.fail(SourceFailed("HTTP 503", retry_after=None if begun == 2 else 12))
            assert (broker.stats()["s"]["state"], broker.stats()["s"]["failures"]) == ("valid", begun - 1)
    clock.advance(8)
    assert broker.stats()["s"]["state"] == "failed"
    (task,) = await ask(broker)
    assert not task.done()
    await script.answer("new", 100)
    assert task.result().value.reveal() == "new"


async def test_no_exception_is_reported_as_never_retrieved(broker: Broker, script: Script, clock: Any) -> None:
    heard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, problem: heard.append(problem))
    await filled(broker, script, life=100)
    clock.advance(80)
    await broker.get("s")
    await turns()
    await script.fail()
    broker.forget("s")
    (abandoned,) = await ask(broker)
    abandoned.cancel()
    await turns()
    await script.fail(KeyError("bug"))
    gc.collect()
    await turns()
    assert heard == []
    assert broker.stats()["s"]["failures"] == 2


async def test_a_failure_reaches_every_waiter_and_every_user_until_the_wait_is_over(
    broker: Broker, script: Script, clock: Any
) -> None:
    tasks = await ask(broker, times=3)
    await script.fail(SourceFailed("HTTP 503 from https://api.example.com/ws-token", retry_after=3.0))
    errors = [task.exception() for task in tasks]
    assert len({id(error) for error in errors}) == 3
    for error in errors:
        assert isinstance(error, TokenFailed)
        assert error.exit_code is ExitCode.AUTH
        assert str(error) == "token 's': HTTP 503 from https://api.example.com/ws-token; asked again in 3s"
        assert error.failure.kind is FailureKind.TOKEN
        assert error.failure.retry_after == 3.0
    stats = broker.stats()["s"]
    assert (stats["state"], stats["retry_in_s"]) == ("failed", 3.0)
    assert stats["reason"] == "token 's': HTTP 503 from https://api.example.com/ws-token"
    clock.advance(2.5)
    (refused,) = await ask(broker)
    late = refused.exception()
    assert isinstance(late, TokenFailed)
    assert (late.failure.retry_after, script.begun) == (0.5, 1)
    clock.advance(0.5)
    (again,) = await ask(broker)
    assert script.begun == 2
    await script.answer()
    assert again.result().value.reveal() == "t"
    assert broker.stats()["s"]["state"] == "valid"


async def test_a_fault_of_a_source_is_stated_without_its_text(
    broker: Broker, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    (task,) = await ask(broker)
    await script.fail(RuntimeError("hunter2"))
    assert "failed unexpectedly (RuntimeError at conftest.py:" in str(task.exception())
    assert "hunter2" not in str(task.exception()) + caplog.text


async def test_expiry_counts_from_before_the_request(broker: Broker, script: Script, clock: Any) -> None:
    (task,) = await ask(broker)
    clock.advance(4)
    await script.answer(life=10)
    assert task.result().expires_at == clock.now + 6
    assert broker.stats()["s"]["expires_in_s"] == 6
    broker.forget("s")
    (task,) = await ask(broker)
    clock.advance(11)
    await script.answer(life=10)
    assert str(task.exception()) == "token 's': the token expired while it was fetched; asked again in 1s"


async def test_a_token_refused_before_a_waiter_had_its_turn_is_not_handed_out(broker: Broker, script: Script) -> None:

    async def quick() -> None:
        broker.invalidate("s", (await broker.get("s")).version)

    first = asyncio.create_task(quick())
    (second,) = await ask(broker)
    await script.answer("refused")
    assert first.done()
    assert script.begun == 2
    await script.answer("good")
    assert second.result().value.reveal() == "good"


async def test_unknown_names_and_versions_are_refused_with_a_suggestion(make: Make) -> None:
    broker = make({"session": scripted(Script())})
    assert broker.invalidate("unknown", 1) is False
    assert broker.invalidate("session", 1) is False
    with pytest.raises(TokenFailed, match="unknown token: 'sesion'") as caught:
        await broker.get("sesion")
    assert caught.value.hint == "did you mean 'session'?"
    with pytest.raises(TokenFailed) as caught:
        broker.forget("zzz")
    assert caught.value.hint == "declared: session"


async def test_refresh_fetches_now_or_joins_and_the_old_one_is_served_meanwhile(broker: Broker, script: Script) -> None:
    (get,) = await ask(broker)
    joined = asyncio.create_task(broker.refresh("s"))
    await turns()
    await script.answer("old")
    assert script.begun == 1
    old = joined.result()
    assert old is get.result()
    task = asyncio.create_task(broker.refresh("s"))
    await turns()
    assert await broker.get("s") is old
    await script.answer("new")
    assert task.result() is await broker.get("s")
    failing = asyncio.create_task(broker.refresh("s"))
    await turns()
    await script.fail()
    assert isinstance(failing.exception(), TokenFailed)
    assert (await broker.get("s")).value.reveal() == "new"


async def test_single_use_fetches_one_for_each_use_and_ends_with_its_caller(make: Make) -> None:
    script = Script()
    broker = make({"s": scripted(script, single_use=True)})
    assert broker.single_use("s")
    assert not broker.single_use("unknown")
    await filled(broker, script)  # one tries the source out
    first, second = await ask(broker, times=2)
    assert script.begun == 3
    await script.answer("one")
    await script.answer("two")
    assert (first.result().value.reveal(), second.result().value.reveal()) == ("one", "two")
    assert first.result().version != second.result().version
    assert broker.peek("s") is None
    assert broker.invalidate("s", first.result().version) is False
    assert broker.stats()["s"] == {"state": "empty", **STATS, "fetches": 3, "served": 3}
    (task,) = await ask(broker)
    task.cancel()
    await turns()
    assert script.waiting == []
    refresh = asyncio.create_task(broker.refresh("s"))
    await turns()
    await script.fail()
    assert isinstance(refresh.exception(), TokenFailed)
