"""The broker with real sources: what a token endpoint sees, and what is left when the manager stops."""

from __future__ import annotations

import asyncio
import gc
import json
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiohttp import web

from tests.tokens.conftest import BACKOFF, Make
from tests.waiting import eventually
from wscli.tokens.errors import TokenFailed
from wscli.tokens.models import TokenSource


def issue(endpoint: Any, life: float = 60) -> None:
    """Give out a new token for every request."""

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(text=json.dumps({"token": f"t{len(endpoint.seen)}", "expires_in": life}))

    endpoint.answer = answer


def session(endpoint: Any, **keys: Any) -> dict[str, Any]:
    return {"http": {"post": endpoint.url, **keys}, "read": {"token": ".token", "expires_in": ".expires_in"}}


async def test_three_hundred_users_and_a_revocation_cost_two_requests(make: Make, endpoint: Any) -> None:
    issue(endpoint)
    broker = make({"s": session(endpoint)})
    first = await asyncio.gather(*(broker.get("s") for _ in range(300)))
    assert {token.value.reveal() for token in first} == {"t1"}
    for token in first:
        broker.invalidate("s", token.version)
    second = await asyncio.gather(*(broker.get("s") for _ in range(300)))
    assert {token.value.reveal() for token in second} == {"t2"}
    assert len(endpoint.seen) == 2


async def test_a_stale_credential_of_the_endpoint_is_replaced_by_the_next_try(
    make: Make, endpoint: Any, clock: Any, tmp_path: Path
) -> None:
    async def answer(request: web.BaseRequest) -> web.Response:
        known = request.headers["Authorization"] == "Bearer new"
        return web.Response(status=200 if known else 401, text='{"token": "t", "expires_in": 60}')

    endpoint.answer = answer
    (tmp_path / "key").write_text("old")
    broker = make({"key": {"file": "key"}, "s": session(endpoint, headers={"Authorization": "Bearer {token.key}"})})
    with pytest.raises(TokenFailed, match=f"token 's': HTTP 401 from {endpoint.url}"):
        await broker.get("s")
    (tmp_path / "key").write_text("new")
    clock.advance(1)
    assert (await broker.get("s")).value.reveal() == "t"


async def test_a_reload_keeps_a_rotated_refresh_token(make: Make, endpoint: Any) -> None:
    endpoint.say('{"access_token": "t", "refresh_token": "r2"}')
    oauth2 = {"oauth2": {"token_url": endpoint.url, "client_id": "me", "refresh_token": "r1"}}
    broker = make({"s": oauth2})
    await broker.get("s")
    broker.replace({"s": TokenSource.model_validate(oauth2)}, BACKOFF)
    await broker.refresh("s")
    assert b"refresh_token=r2" in endpoint.seen[-1].body


async def test_stopping_ends_a_request_under_way(make: Make, endpoint: Any) -> None:
    arrived, forever = asyncio.Event(), asyncio.Event()

    async def never(_: web.BaseRequest) -> web.Response:
        arrived.set()
        await forever.wait()
        return web.Response()

    endpoint.answer = never
    broker = make({"s": session(endpoint)})
    process = psutil.Process()
    before = process.num_fds()
    waiter = asyncio.create_task(broker.get("s"))
    await arrived.wait()
    await broker.close()
    forever.set()
    with pytest.raises(TokenFailed, match="token 's': the manager is stopping"):
        await waiter
    gc.collect()
    await eventually(lambda: process.num_fds() <= before)  # once the server notices that we hung up


async def test_stopping_ends_a_command_under_way(make: Make, tmp_path: Path) -> None:
    broker = make({"s": {"command": ["sh", "-c", "echo > started; sleep 1000; exit"]}})
    children = psutil.Process().children()
    waiter = asyncio.create_task(broker.get("s"))
    await eventually((tmp_path / "started").exists)
    await broker.close()
    with pytest.raises(TokenFailed, match="the manager is stopping"):
        await waiter
    assert psutil.Process().children() == children


async def test_nothing_of_the_library_logs_a_secret(
    make: Make, endpoint: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    asyncio.get_running_loop().set_debug(True)
    endpoint.say(json.dumps({"token": "hunter2", "expires_in": 60}))
    keys = {"headers": {"Authorization": "Bearer hunter2"}, "form": {"a": "hunter2"}}
    broker = make({"s": session(endpoint, **keys), "c": {"command": {"run": ["cat"], "stdin": "hunter2"}}})
    await broker.get("s")
    await broker.get("c")
    endpoint.say("hunter2", status=500)
    with pytest.raises(TokenFailed):
        await broker.refresh("s")
    assert "hunter2" not in caplog.text
