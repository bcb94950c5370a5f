"""One fetch for everybody, and what a refusal, a failure, a cancellation and a reload do to it."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from tests.tokens.conftest import Make
from wscli.core.events import FailureKind
from wscli.errors import AuthError, ExitCode
from wscli.tokens.broker import Broker
from wscli.tokens.errors import SourceFailed, TokenFailed
from wscli.tokens.fetcher import BrokerToken, FetchContext, SourceAnswer
from wscli.tokens.models import TokenSource
from wscli.values import Secret


class Script:
    """A source whose fetches wait until the test answers them."""

    def __init__(self, needs: frozenset[str] = frozenset()) -> None:
        self.waiting: list[asyncio.Future[SourceAnswer]] = []
        self.begun = 0
        self._needs = needs

    async def fetch(self, context: FetchContext) -> SourceAnswer:
        self.begun += 1
        await context.scope(self._needs)
        future: asyncio.Future[SourceAnswer] = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        try:
            return await future
        finally:
            self.waiting.remove(future)

    def references(self) -> frozenset[str]:
        return self._needs

    async def answer(self, text: str = "t", life: float | None = None) -> None:
        self.waiting[0].set_result(SourceAnswer(Secret(text), life))
        await turns()

    async def fail(self, error: Exception | None = None) -> None:
        self.waiting[0].set_exception(error or SourceFailed("HTTP 500 from https://api.example.com/ws-token"))
        await turns()


async def turns() -> None:
    """Let everything that can go on go on."""
    for _ in range(10):
        await asyncio.sleep(0)


def scripted(script: Script, **keys: Any) -> TokenSource:
    return TokenSource.model_construct(value=script, **keys)


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def broker(make: Make, script: Script) -> Broker:
    return make({"s": scripted(script)})


async def ask(broker: Broker, name: str = "s", times: int = 1) -> list[asyncio.Task[BrokerToken]]:
    tasks = [asyncio.create_task(broker.get(name)) for _ in range(times)]
    await turns()
    return tasks


async def filled(broker: Broker, script: Script, text: str = "t", life: float | None = None) -> BrokerToken:
    (task,) = await ask(broker)
    await script.answer(text, life)
    return task.result()


async def test_one_fetch_serves_all_who_ask(broker: Broker, script: Script) -> None:
    tasks = await ask(broker, times=20)
    assert broker.stats()["s"]["state"] == "fetching"
    await script.answer("abc")
    tokens = [task.result() for task in tasks]
    assert script.begun == 1
    assert {token.value.reveal() for token in tokens} == {"abc"}
    assert (await broker.get("s")) is tokens[0]
    assert broker.stats()["s"] == {"state": "valid", "expires_in_s": None, "fetches": 1, "served": 21, "failures": 0}


async def test_nothing_is_fetched_without_a_user(broker: Broker, script: Script, clock: Any) -> None:
    await turns()
    assert (script.begun, broker.stats()["s"]["state"]) == (0, "empty")
    await filled(broker, script, life=100)
    clock.advance(90)
    await turns()
    assert script.begun == 1


async def test_peek_neither_fetches_nor_counts(broker: Broker, script: Script, clock: Any) -> None:
    assert broker.peek("s") is None
    token = await filled(broker, script, life=10)
    clock.advance(9)
    assert broker.peek("s") is token
    clock.advance(1)
    assert broker.peek("s") is None
    assert broker.peek("unknown") is None
    assert (script.begun, broker.stats()["s"]["served"]) == (1, 1)


async def test_a_cancelled_caller_leaves_the_fetch_to_the_others_and_to_the_cache(
    broker: Broker, script: Script
) -> None:
    first, second, third = await ask(broker, times=3)
    first.cancel()
    await turns()
    assert first.cancelled()
    for left in (second, third):
        assert not left.done()
    third.cancel()
    await script.answer()
    assert second.result().value.reveal() == "t"
    broker.forget("s")
    (last,) = await ask(broker)
    last.cancel()
    await turns()
    await script.answer()
    assert broker.peek("s") is not None


async def test_past_refresh_the_old_one_is_served_while_one_fetch_runs(make: Make, clock: Any) -> None:
    script = Script()
    broker = make({"s": scripted(script, refresh=0.5)})
    old = await filled(broker, script, "old", life=100)
    clock.advance(49)
    assert await broker.get("s") is old
    assert script.begun == 1
    clock.advance(1)
    for _ in range(5):
        assert await broker.get("s") is old
    await turns()
    assert script.begun == 2
    await script.answer("new", 100)
    new = await broker.get("s")
    assert new.value.reveal() == "new"
    assert new.version > old.version


async def test_a_background_failure_has_no_effect_until_expiry(broker: Broker, script: Script, clock: Any) -> None:
    old = await filled(broker, script, life=100)
    clock.advance(85)
    assert await broker.get("s") is old
    await turns()
    await script.fail()
    assert await broker.get("s") is old
    assert broker.stats()["s"]["failures"] == 1
    assert broker.stats()["s"]["state"] == "valid"
    clock.advance(15)
    assert broker.stats()["s"]["state"] == "failed"
    (task,) = await ask(broker)
    await script.answer("new", 100)
    assert task.result().value.reveal() == "new"


async def test_a_failed_background_fetch_is_not_tried_again_at_every_use(
    broker: Broker, script: Script, clock: Any
) -> None:
    await filled(broker, script, life=100)
    clock.advance(80)
    await broker.get("s")
    await turns()
    await script.fail()
    await broker.get("s")
    clock.advance(4)
    await broker.get("s")
    assert script.begun == 2
    clock.advance(1)
    await broker.get("s")
    await turns()
    assert script.begun == 3
    await script.fail(SourceFailed("HTTP 503", retry_after=12))
    clock.advance(11)
    await broker.get("s")
    await turns()
    assert script.begun == 3


async def test_no_exception_is_reported_as_never_retrieved(broker: Broker, script: Script, clock: Any) -> None:
    heard: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, problem: heard.append(problem))
    await filled(broker, script, life=100)
    clock.advance(80)
    await broker.get("s")
    await turns()
    await script.fail()
    (abandoned,) = await ask(broker, "s")
    broker.forget("s")
    (abandoned,) = await ask(broker, "s")
    abandoned.cancel()
    await turns()
    await script.fail(KeyError("bug"))
    gc.collect()
    await turns()
    assert heard == []
    assert broker.stats()["s"]["failures"] == 2


async def test_a_failure_reaches_every_waiter_and_is_not_remembered(broker: Broker, script: Script) -> None:
    tasks = await ask(broker, times=3)
    await script.fail(SourceFailed("HTTP 503 from https://api.example.com/ws-token", retry_after=3.0))
    errors = [task.exception() for task in tasks]
    assert len({id(error) for error in errors}) == 3
    for error in errors:
        assert isinstance(error, TokenFailed)
        assert isinstance(error, AuthError)
        assert error.exit_code is ExitCode.AUTH
        assert str(error) == "token 's': HTTP 503 from https://api.example.com/ws-token"
        assert error.failure.kind is FailureKind.TOKEN
        assert error.failure.retry_after == 3.0
    assert broker.stats()["s"]["state"] == "failed"
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
    assert "failed unexpectedly (RuntimeError at test_broker.py:" in str(task.exception())
    assert "hunter2" not in str(task.exception()) + caplog.text


async def test_an_expired_token_is_waited_for(broker: Broker, script: Script, clock: Any) -> None:
    await filled(broker, script, "old", life=10)
    clock.advance(10)
    assert broker.stats()["s"]["state"] == "expired"
    (task,) = await ask(broker)
    assert not task.done()
    await script.answer("new", 10)
    assert task.result().value.reveal() == "new"


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
    assert str(task.exception()) == "token 's': the token expired while it was fetched"


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


async def test_forget_makes_the_next_use_fetch(broker: Broker, script: Script) -> None:
    await filled(broker, script)
    broker.forget("s")
    assert broker.peek("s") is None
    await ask(broker)
    assert script.begun == 2


async def test_refresh_fetches_now_and_the_old_one_is_served_meanwhile(broker: Broker, script: Script) -> None:
    old = await filled(broker, script, "old")
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


async def test_refresh_joins_a_fetch_under_way(broker: Broker, script: Script) -> None:
    (get,) = await ask(broker)
    refresh = asyncio.create_task(broker.refresh("s"))
    await turns()
    await script.answer()
    assert refresh.result() is get.result()
    assert script.begun == 1


async def test_single_use_fetches_one_for_each_use(make: Make) -> None:
    script = Script()
    broker = make({"s": scripted(script, single_use=True)})
    assert broker.single_use("s")
    assert not broker.single_use("unknown")
    first, second = await ask(broker, times=2)
    assert script.begun == 2
    await script.answer("one")
    await script.answer("two")
    assert (first.result().value.reveal(), second.result().value.reveal()) == ("one", "two")
    assert first.result().version != second.result().version
    assert broker.peek("s") is None
    assert broker.invalidate("s", first.result().version) is False
    assert broker.stats()["s"] == {"state": "empty", "expires_in_s": None, "fetches": 2, "served": 2, "failures": 0}


async def test_a_single_use_fetch_ends_with_its_caller_and_its_failure_is_raised(make: Make) -> None:
    script = Script()
    broker = make({"s": scripted(script, single_use=True)})
    (task,) = await ask(broker)
    task.cancel()
    await turns()
    assert script.waiting == []
    refresh = asyncio.create_task(broker.refresh("s"))
    await turns()
    await script.fail()
    assert isinstance(refresh.exception(), TokenFailed)


def needing_another(make: Make) -> tuple[Script, Broker, Script]:
    """A broker whose token ``s`` is made with ``app``."""
    app, session = Script(), Script(frozenset({"app"}))
    return app, make({"s": scripted(session), "app": scripted(app)}), session


async def test_a_token_may_need_another(make: Make) -> None:
    app, broker, session = needing_another(make)
    tasks = await ask(broker, times=3)
    assert (app.begun, len(session.waiting)) == (1, 0)
    await app.answer("app")
    await session.answer("session")
    assert {task.result().value.reveal() for task in tasks} == {"session"}
    token = await broker.get("app")
    broker.invalidate("app", token.version)
    assert broker.peek("s") is not None
    assert broker.stats()["app"]["served"] == 2


async def test_what_fails_underneath_is_named(make: Make) -> None:
    app, broker, _ = needing_another(make)
    (task,) = await ask(broker)
    await app.fail(SourceFailed("HTTP 503 from https://x.example", retry_after=9))
    error = task.exception()
    assert isinstance(error, TokenFailed)
    assert str(error) == "token 's': needs token 'app': HTTP 503 from https://x.example"
    assert error.failure.retry_after == 9


async def test_a_refused_fetch_drops_the_tokens_it_was_made_with(make: Make) -> None:
    app, broker, session = needing_another(make)
    await ask(broker)
    await app.answer("stale")
    await session.fail(SourceFailed("HTTP 401 from https://x.example", refused=True))
    assert broker.peek("app") is None
    await ask(broker)
    assert app.begun == 2


async def test_text_around_another_token_ends_and_is_dropped_with_it(make: Make, clock: Any) -> None:
    script = Script()
    around = {"value": "Bearer {token.app}"}
    broker = make({"s": around, "app": scripted(script)})
    (task,) = await ask(broker)
    await script.answer("one", 100)
    token = task.result()
    assert token.value.reveal() == "Bearer one"
    assert token.expires_at == clock.now + 100
    assert broker.invalidate("s", token.version)
    assert broker.peek("app") is None
    (task,) = await ask(broker)
    await script.answer("two", 100)
    assert task.result().value.reveal() == "Bearer two"


async def test_a_renewal_fetches_what_does_not_last_and_what_it_is_made_of_and_serves_the_old_one_meanwhile(
    make: Make, clock: Any
) -> None:
    script = Script()
    around = {"value": "Bearer {token.app}"}
    broker = make({"s": around, "app": scripted(script)})
    (task,) = await ask(broker)
    await script.answer("one", 100)
    await broker.renew("s", clock.now + 99)
    assert script.begun == 1, "it lasts"
    renewal = asyncio.create_task(broker.renew("s", clock.now + 100))
    await turns()
    assert (await broker.get("s")) is task.result()
    await script.answer("two", 200)
    await renewal
    assert (await broker.get("s")).value.reveal() == "Bearer two"
    assert script.begun == 2


async def test_a_renewal_that_fails_says_so_and_keeps_the_old_one(broker: Broker, script: Script, clock: Any) -> None:
    token = await filled(broker, script, life=100)
    renewal = asyncio.create_task(broker.renew("s", clock.now + 200))
    await turns()
    await script.fail()
    with pytest.raises(TokenFailed, match="HTTP 500"):
        await renewal
    assert (await broker.get("s")) is token


async def test_a_reload_keeps_what_did_not_change(make: Make) -> None:
    script = Script()
    source = scripted(script)
    changed = TokenSource.model_validate({"value": "one"})
    broker = make({"s": source, "changed": changed, "gone": changed})
    token = await filled(broker, script)
    one = await broker.get("changed")
    broker.replace({"changed": TokenSource.model_validate({"value": "two"}), "s": source, "new": changed})
    assert broker.peek("s") is token
    assert list(broker.stats()) == ["changed", "s", "new"]
    assert not broker.invalidate("changed", one.version)
    two = await broker.get("changed")
    assert (two.value.reveal(), one.version == two.version) == ("two", False)
    with pytest.raises(TokenFailed, match="unknown token: 'gone'"):
        await broker.get("gone")


async def test_a_reload_sends_waiters_to_the_new_source(make: Make) -> None:
    old, gone, new = Script(), Script(), Script()
    broker = make({"s": scripted(old), "gone": scripted(gone)})
    (waiter,) = await ask(broker)
    refresher = asyncio.create_task(broker.refresh("s"))
    (lost,) = await ask(broker, "gone")
    broker.replace({"s": scripted(new)})
    await turns()
    assert (old.waiting, gone.waiting) == ([], [])
    assert isinstance(lost.exception(), TokenFailed)
    await new.answer("new")
    assert waiter.result().value.reveal() == "new"
    assert refresher.result() is waiter.result()


async def test_close_ends_every_fetch_and_refuses_more(make: Make) -> None:
    shared, single = Script(), Script()
    broker = make({"s": scripted(shared), "one": scripted(single, single_use=True)})
    (waiter,) = await ask(broker)
    (other,) = await ask(broker, "one")
    await broker.close()
    await turns()
    assert (shared.waiting, single.waiting) == ([], [])
    for task in (waiter, other):
        assert isinstance(task.exception(), TokenFailed)
    with pytest.raises(TokenFailed, match="the manager is stopping"):
        await broker.get("s")
    await broker.close()


async def test_a_token_is_never_printed(make: Make) -> None:
    broker = make({"s": {"value": "hunter2"}})
    token = await broker.get("s")
    assert "hunter2" not in f"{token} {token!r} {broker.stats()} {token.value!r}"
