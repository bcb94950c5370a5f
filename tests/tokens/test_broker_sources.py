"""Tokens that are made with others, renewals, reloads, and the end of the broker."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.tokens.conftest import BACKOFF, Make, Script, ask, filled, scripted, turns
from wscli.tokens.broker import Broker
from wscli.tokens.errors import SourceFailed, TokenFailed
from wscli.tokens.fetcher import BrokerToken
from wscli.tokens.models import TokenSource


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
    assert str(error) == "token 's': needs token 'app': HTTP 503 from https://x.example; asked again in 9s"
    assert error.failure.retry_after == 9


async def test_a_refused_fetch_drops_the_tokens_it_was_made_with(make: Make, clock: Any) -> None:
    app, broker, session = needing_another(make)
    await ask(broker)
    await app.answer("stale")
    await session.fail(SourceFailed("HTTP 401 from https://x.example", refused=True))
    assert broker.peek("app") is None
    clock.advance(1)
    await ask(broker)
    assert app.begun == 2


async def around_another(make: Make) -> tuple[Broker, Script, BrokerToken]:
    """A broker whose token ``s`` is text around ``app``, and that token."""
    script = Script()
    broker = make({"s": {"value": "Bearer {token.app}"}, "app": scripted(script)})
    (task,) = await ask(broker)
    await script.answer("one", 100)
    return broker, script, task.result()


async def test_text_around_another_token_ends_and_is_dropped_with_it(make: Make, clock: Any) -> None:
    broker, script, token = await around_another(make)
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
    broker, script, token = await around_another(make)
    await broker.renew("s", clock.now + 99)
    assert script.begun == 1, "it lasts"
    renewal = asyncio.create_task(broker.renew("s", clock.now + 100))
    await turns()
    assert (await broker.get("s")) is token
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
    broker.replace({"changed": TokenSource.model_validate({"value": "two"}), "s": source, "new": changed}, BACKOFF)
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
    broker.replace({"s": scripted(new)}, BACKOFF)
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
