"""Tokens and refusals: who gets in, and how the others are told."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.backends import demo
from wscli.demo.server import DemoServer

__all__ = ["demo"]


async def fetch_token(demo: DemoServer, **headers: str) -> tuple[int, dict[str, object]]:
    async with aiohttp.ClientSession() as session, session.post(f"{demo.url}/ws-token", headers=headers) as answer:
        return answer.status, await answer.json()


async def dial(demo: DemoServer, path: str = "/notifications", token: str | None = None) -> ClientConnection:
    token = token or str((await fetch_token(demo))[1]["token"])
    return await connect(f"{demo.ws_url}{path}?token={token}", proxy=None)


async def refusal(demo: DemoServer) -> InvalidStatus:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"{demo.ws_url}/notifications", proxy=None)
    return refused.value


async def test_a_token_opens_the_door_in_the_query_and_as_a_bearer(demo: DemoServer) -> None:
    status, body = await fetch_token(demo)
    assert status == 200
    assert body["expires_in"] == 60.0
    async with await dial(demo, token=str(body["token"])):
        bearer = {"Authorization": f"Bearer {body['token']}"}
        async with connect(f"{demo.ws_url}/calls", additional_headers=bearer, proxy=None):
            assert demo.connections.now == 2
    assert demo.token_requests == 1


@pytest.mark.parametrize("query", ["", "?token=", "?token=guessed"])
async def test_without_a_valid_token_the_upgrade_is_answered_with_401(demo: DemoServer, query: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await connect(f"{demo.ws_url}/notifications{query}", proxy=None)
    assert refused.value.response.status_code == 401
    assert [dial.path for dial in demo.dials] == ["/ws/notifications"]
    assert demo.connections.total == 0


async def test_a_stale_token_is_refused_by_close_code_where_that_is_asked_for() -> None:
    async with (
        DemoServer(port=0, interval=None, calls=None, refuse_by="close") as demo,
        connect(f"{demo.ws_url}/notifications?token=stale", proxy=None) as client,
    ):
        await client.wait_closed()
        assert client.close_code == 4401


class SteppedClock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    boottime = wall = monotonic


async def test_a_token_expires() -> None:
    clock = SteppedClock()
    async with DemoServer(port=0, interval=None, calls=None, token_life=30, clock=clock) as demo:
        token = str((await fetch_token(demo))[1]["token"])
        clock.now += 29.9
        async with await dial(demo, token=token):
            clock.now += 0.1
            with pytest.raises(InvalidStatus):
                await dial(demo, token=token)
            assert demo.connections.now == 1, "a live connection outlives its token"


async def test_the_token_desk_asks_for_its_api_key() -> None:
    async with DemoServer(port=0, interval=None, calls=None, api_key="demo") as demo:
        assert (await fetch_token(demo))[0] == 401
        assert (await fetch_token(demo, Authorization="Bearer wrong"))[0] == 401
        assert (await fetch_token(demo, Authorization="Bearer demo"))[0] == 200
        assert demo.token_requests == 3


async def test_revoking_closes_live_connections_with_4401_and_ends_their_tokens(demo: DemoServer) -> None:
    token = str((await fetch_token(demo))[1]["token"])
    async with await dial(demo, token=token) as one, await dial(demo, "/calls", token=token) as two:
        assert await demo.revoke() == {"revoked": 1, "kicked": 2}
        await asyncio.gather(one.wait_closed(), two.wait_closed())
        assert (one.close_code, two.close_code) == (4401, 4401)
    with pytest.raises(InvalidStatus):
        await dial(demo, token=token)
    async with await dial(demo):
        pass


async def test_a_denial_counts_down_and_carries_retry_after(demo: DemoServer) -> None:
    await demo.deny(status=503, retry_after=3, count=2)
    for _ in range(2):
        answer = (await refusal(demo)).response
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "3")
    assert (await refusal(demo)).response.status_code == 401, "the denials are used up; only the token is missing"
    assert len(demo.dials) == 3


async def test_a_denial_concerns_its_path_only_and_lasts_until_allowed(demo: DemoServer) -> None:
    await demo.deny("/ws/consultations/*", status=429)
    for _ in range(3):
        with pytest.raises(InvalidStatus, match="429"):
            await dial(demo, "/consultations/42")
    async with await dial(demo):
        pass
    await demo.allow("/ws/consultations/*")
    async with await dial(demo, "/consultations/42"):
        pass


async def test_a_denial_may_accept_and_close_at_once(demo: DemoServer) -> None:
    await demo.deny(close=1013, count=1)
    async with await dial(demo) as client:
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013


async def test_the_token_desk_can_be_told_to_refuse(demo: DemoServer) -> None:
    await demo.deny("/ws-token", status=429, retry_after=7, count=1)
    assert (await fetch_token(demo))[0] == 429
    assert (await fetch_token(demo))[0] == 200
    assert demo.token_requests == 2


async def test_a_denial_of_all_paths_leaves_tokens_alone(demo: DemoServer) -> None:
    await demo.deny()
    assert (await fetch_token(demo))[0] == 200


async def test_an_order_over_http_is_checked_and_web_pages_give_none(demo: DemoServer) -> None:
    async def order(name: str, body: object, **headers: str) -> tuple[int, str]:
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{demo.url}/admin/{name}", data=json.dumps(body), headers=headers) as answer,
        ):
            return answer.status, await answer.text()

    assert (await order("deny", {"status": 429, "retry_after": 3, "count": 1}))[0] == 200
    answer = (await refusal(demo)).response
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3"), "whole seconds, as RFC 9110 has it"
    for name, body, word in [
        ("deny", {"count": "many"}, "count"),
        ("deny", {"count": 0}, "0 is not a number"),
        ("deny", [], "not a JSON object"),
        ("kick", {"code": 70000}, "70000"),
        ("kick", {"cod": 1000}, "cod"),
        ("refuse", {}, "seconds"),
        ("ring", {"scenario": "lost"}, "'lost'"),
    ]:
        status, text = await order(name, body)
        assert status == 400
        assert word in text
    assert (await order("explode", {}))[0] == 404
    assert (await order("kick", {}, Origin="https://evil.example"))[0] == 403
