"""The dial for a client with an upstream of its own: who gets one, when, and what the client is told otherwise."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.daemon.scripted import REFUSED, channel_plan, status, with_token
from tests.gateway.faced import TOKEN, Faced, closed, faced, own_plan, upgrade_request
from tests.waiting import eventually
from wscli.config.clients import ClientsPlan
from wscli.core.failures import Failure, FailureKind
from wscli.templates import compile_template
from wscli.tokens.models import TokenSource
from wscli.values import Rate


def own_stats(it: Faced) -> dict[str, int]:
    own: dict[str, int] = it.manager.stats()["channels"]["news"]["own"]
    return own


@pytest.mark.parametrize(
    ("clients", "offered", "links"),
    [
        (ClientsPlan(), ["mqtt"], 2),
        (ClientsPlan(stateful=True), [], 2),
        (ClientsPlan(), ["chat"], 1),
        (ClientsPlan(stateful=True, session=True), ["mqtt"], 1),
        (ClientsPlan(declared="shared"), ["mqtt"], 1),
    ],
)
async def test_clients_have_their_own_upstreams_where_their_protocol_has_a_state_for_each(
    clients: ClientsPlan, offered: list[str], links: int
) -> None:
    async with faced(channel_plan(eager=False, clients=clients)) as it:
        subprotocols = [Subprotocol(one) for one in offered] or None
        async with it.client(subprotocols=subprotocols), it.client(subprotocols=subprotocols):
            await eventually(lambda: len(it.server.links) == links)


async def test_the_clients_subprotocols_are_offered_and_the_negotiated_one_is_answered(own: Faced) -> None:
    own.server.on_open = lambda link: setattr(link, "subprotocol", "v11.stomp")
    async with own.client(subprotocols=[Subprotocol("v12.stomp"), Subprotocol("v11.stomp")]) as client:
        assert client.subprotocol == "v11.stomp"
    assert own.server.dials[0][1].subprotocols == ("v12.stomp", "v11.stomp")


async def test_the_declared_subprotocols_are_offered_where_the_client_offers_none() -> None:
    declared = (compile_template("mqtt", ()), compile_template("bearer.{token.session}", ("token",)))
    tokens = {"session": TokenSource.model_validate({"value": "t0p"})}
    async with faced(own_plan(subprotocols=declared), tokens=tokens) as it:
        async with it.client() as client:
            assert client.subprotocol is None
        async with it.client(subprotocols=[Subprotocol("mqttv3.1")]):
            pass
        offers = [target.subprotocols for _, target in it.server.dials]
        assert offers == [("mqtt", "bearer.t0p"), ("mqttv3.1", "bearer.t0p")]


async def test_a_braced_subprotocol_of_a_client_is_refused_before_any_dial(own: Faced) -> None:
    answer = await own.refused(headers={"Sec-WebSocket-Protocol": "{token.session}"})
    assert (answer.status_code, own.server.dials) == (400, [])


async def test_an_invalid_upgrade_is_refused_before_any_dial(own: Faced) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", own.port)
    writer.write(upgrade_request(own.port, TOKEN).replace(b"Sec-WebSocket-Key: ", b"X-Key: "))
    assert (await reader.readline()).startswith(b"HTTP/1.1 400")
    assert own.server.dials == []
    writer.close()


@pytest.mark.parametrize(
    ("failure", "code", "kind"),
    [
        (REFUSED, 502, "tcp"),
        (Failure(FailureKind.TIMEOUT, "no answer within 10s"), 504, "timeout"),
        (Failure(FailureKind.CERTIFICATE, "expired"), 502, "certificate"),
    ],
)
async def test_a_failed_dial_is_the_answer_to_the_clients_upgrade(
    own: Faced, failure: Failure, code: int, kind: str
) -> None:
    own.server.refusals.append(failure)
    answer = await own.refused()
    assert (answer.status_code, answer.headers["Wscli-Failure"]) == (code, kind)
    assert failure.text in answer.body.decode()
    assert own_stats(own) == {"clients": 0, "total": 1, "refused": 1, "received": 0, "sent": 0}
    async with own.client():
        assert own_stats(own)["clients"] == 1


async def test_a_dial_that_hangs_is_answered_within_the_connect_timeout_and_leaves_others_alone() -> None:
    async with faced(own_plan(timeout=0.1)) as it, it.client() as other:
        it.server.hold = asyncio.get_running_loop().create_future()
        answer = await it.refused(open_timeout=None)
        assert (answer.status_code, answer.headers["Wscli-Failure"]) == (504, "timeout")
        assert b"not connected within 100ms" in answer.body
        it.server.link.say("still here")
        assert await other.recv() == "still here"


async def test_a_client_that_hangs_up_during_the_dial_ends_it(own: Faced) -> None:
    own.server.hold = asyncio.get_running_loop().create_future()
    _, writer = await asyncio.open_connection("127.0.0.1", own.port)
    writer.write(own.upgrade())
    await eventually(lambda: own.server.dials)
    assert own_stats(own)["clients"] == 1
    writer.close()
    await eventually(lambda: own_stats(own)["clients"] == 0)
    own.server.hold.set_result(None)
    await own.it.time.settle()
    assert own.server.links == []


@asynccontextmanager
async def attached(it: Faced) -> AsyncIterator[ClientConnection]:
    """A client of the adapter, which comes over the control socket."""
    ours, theirs = socket.socketpair()
    with theirs:
        theirs.setblocking(False)
        serving = asyncio.ensure_future(it.gateway.attach(theirs, it.channel))
        async with connect("ws://localhost/", sock=ours, proxy=None) as client:
            yield client
        await serving


async def test_a_client_of_the_adapter_has_an_upstream_of_its_own(own: Faced) -> None:
    async with attached(own) as one, own.client() as other:
        first, second = own.server.links
        first.say("for one")
        second.say("for the other")
        assert (await one.recv(), await other.recv()) == ("for one", "for the other")
        await one.close(4001, "enough")
        await eventually(lambda: first.ended)
        assert first.closed_with == (4001, "enough")
        assert second.open


async def test_a_client_of_the_adapter_has_more_time_for_its_request(
    own: Faced, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wscli.gateway.handshake.REQUEST_DEADLINE", 0.0)
    async with attached(own) as client:
        own.server.link.say("hello")
        assert await client.recv() == "hello"


async def test_clients_of_gateway_and_adapter_have_no_more_upstreams_than_max_clients() -> None:
    async with faced(own_plan(), max_clients=1) as it:
        it.manager.apply(it.manager.plan)
        async with attached(it) as client:
            answer = await it.refused()
            assert answer.status_code == 503
            assert b"gateway.max_clients" in answer.body
            assert (own_stats(it)["clients"], own_stats(it)["refused"]) == (1, 1)
            it.server.link.say("still here")
            assert await client.recv() == "still here"
        async with it.client():
            assert own_stats(it)["clients"] == 1


async def test_a_client_waits_for_its_place_in_the_connect_budget() -> None:
    async with faced(own_plan(timeout=0.1), rate=Rate(1, 60.0)) as it, it.client():
        answer = await it.refused(open_timeout=None)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert b"could begin within 100ms" in answer.body
        assert len(it.server.dials) == 1


async def test_no_client_dials_a_server_that_asked_to_be_left_alone(own: Faced) -> None:
    own.server.refusals.append(status(429, retry_after=60.0))
    assert (await own.refused()).status_code in (429, 502)
    answer = await own.refused()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert len(own.server.dials) == 1


async def test_clients_in_a_tight_loop_dial_a_dead_server_once_a_second(own: Faced) -> None:
    own.server.always = REFUSED
    dials = []
    for _ in range(4):
        refused = asyncio.ensure_future(own.refused())
        while not refused.done():
            await own.it.time.advance(0.1)
            await asyncio.sleep(0.001)
        dials.append(own.server.dials[-1][0])
    assert all(later - earlier >= 0.9 for earlier, later in itertools.pairwise(dials[1:]))
    own.server.always = None
    waiting = [asyncio.ensure_future(own.client().__aenter__()) for _ in range(3)]
    while not all(one.done() for one in waiting):
        await own.it.time.advance(0.1)
        await asyncio.sleep(0.001)
    for one in waiting:
        await (await one).close()


async def test_a_refused_token_is_fetched_anew_and_the_dial_repeated_once_at_once(tmp_path: Any) -> None:
    token = tmp_path / "token"
    token.write_text("old")
    tokens = {"session": TokenSource.model_validate({"file": str(token), "expires_in": "5m"})}
    async with faced(with_token(own_plan()), tokens=tokens) as it:
        async with it.client():
            pass
        token.write_text("new")
        it.server.refusals.append(status(401))
        async with it.client():
            assert [target.url.rpartition("=")[2] for _, target in it.server.dials] == ["old", "old", "new"]
        it.server.refusals.append(status(401))
        assert (await it.refused()).headers["Wscli-Failure"] == "status"
        assert len(it.server.dials) == 4, "the token is new"
        await it.it.time.advance(10.0)
        it.server.refusals += [status(401), status(401)]
        assert (await it.refused()).headers["Wscli-Failure"] == "status"
        assert len(it.server.dials) == 6


async def test_a_token_that_closes_an_open_upstream_is_not_used_again(tmp_path: Any) -> None:
    token = tmp_path / "token"
    token.write_text("old")
    tokens = {"session": TokenSource.model_validate({"file": str(token), "expires_in": "5m"})}
    async with faced(with_token(own_plan()), tokens=tokens) as it:
        client = await it.client()
        token.write_text("new")
        it.server.link.end(Failure(FailureKind.CLOSE, "x", code=4401, by="peer", close_reason="expired"))
        assert await closed(client) == (4401, "expired")
        async with it.client():
            assert [target.url.rpartition("=")[2] for _, target in it.server.dials] == ["old", "new"]


@pytest.mark.parametrize("name", ["last=1", "after=a:1", "json=1", "strict=0"])
async def test_an_option_of_a_history_does_not_apply(own: Faced, name: str) -> None:
    answer = await own.refused(f"/ws/news?{name}")
    assert answer.status_code == 400
    assert name.partition("=")[0] in answer.body.decode()
