"""A client of a shared upstream is closed when that is lost, if its protocol lives on the one connection."""

from __future__ import annotations

from typing import Any

import pytest

from tests.daemon.scripted import REFUSED, ScriptedLink, channel_plan
from tests.daemon.scripted import closed as upstream_closed
from tests.gateway.faced import closed, faced
from tests.waiting import eventually
from wscli.config.clients import ClientsPlan
from wscli.core.failures import Failure, FailureKind

KEEPALIVE = Failure(FailureKind.KEEPALIVE, "no pong within 10s", code=1006, by="us")


@pytest.fixture(autouse=True)
def chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The subprotocol that each connection negotiated."""
    monkeypatch.setattr(ScriptedLink, "subprotocol", "graphql-transport-ws")


SPEAKS: Any = {"subprotocols": ["graphql-transport-ws"]}


@pytest.mark.parametrize(
    ("failure", "code", "reason"),
    [
        (Failure(FailureKind.CLOSE, "x", code=4429, close_reason="too many", by="peer"), 4429, "too many"),
        (upstream_closed(1006), 1014, "closed by the server: 1006"),
        (KEEPALIVE, 1014, "no pong within 10s"),
    ],
    ids=["with a code", "without a code", "dead"],
)
async def test_a_client_that_speaks_a_stateful_protocol_is_closed_with_its_upstream(
    failure: Failure, code: int, reason: str
) -> None:
    async with faced(channel_plan(clients=ClientsPlan("shared"))) as it, it.client(**SPEAKS) as client:
        it.server.link.say("last words")
        it.server.link.end(failure)
        assert await client.recv() == "last words"
        assert await closed(client) == (code, reason)


async def test_a_client_is_told_of_a_restart_by_hand() -> None:
    async with faced(channel_plan(clients=ClientsPlan("shared"))) as it, it.client(**SPEAKS) as client:
        it.channel.restart()
        assert await closed(client) == (1012, "restarted by hand")


@pytest.mark.parametrize(("by_hand", "expected"), [("stop", 1001), ("pause", 1013)])
async def test_a_client_goes_with_a_channel_that_is_closed_by_hand(by_hand: str, expected: int) -> None:
    async with faced(channel_plan(clients=ClientsPlan("shared"))) as it, it.client(**SPEAKS) as client:
        getattr(it.channel, by_hand)()
        code, reason = await closed(client)
        assert (code, "by hand" in reason) == (expected, True)


async def test_a_client_is_told_that_its_connection_was_replaced() -> None:
    async with faced(channel_plan(clients=ClientsPlan("shared"))) as it, it.client(**SPEAKS) as client:
        it.channel.rotate()
        assert await closed(client) == (1012, "the upstream connection was replaced")


async def test_a_closed_client_may_connect_again_at_once() -> None:
    async with faced(channel_plan(clients=ClientsPlan("shared"))) as it:
        async with it.client(**SPEAKS) as client:
            it.server.link.end(upstream_closed(1001))
            assert await closed(client) == (1001, "")
        await it.it.time.advance(2.0)
        async with it.client(**SPEAKS) as again:
            it.server.link.say("hello")
            assert await again.recv() == "hello"


@pytest.mark.parametrize(
    ("plan", "path", "offers"),
    [
        (ClientsPlan("shared", strict=False), "/ws/news", SPEAKS),
        (ClientsPlan("shared"), "/ws/news?strict=0", SPEAKS),
        (ClientsPlan("shared", session=True), "/ws/news", SPEAKS),
        (ClientsPlan("shared"), "/ws/news", {}),
    ],
    ids=["strict: false", "?strict=0", "a session", "no subprotocol"],
)
async def test_other_clients_are_held(plan: ClientsPlan, path: str, offers: Any) -> None:
    async with faced(channel_plan(clients=plan)) as it, it.client(path, **offers) as client:
        it.server.refusals = [REFUSED]
        it.server.link.end(upstream_closed(1006))
        await client.send("held")
        await it.it.time.advance(10.0)
        await eventually(lambda: it.server.links and it.server.link.sent == [(b"held", False)])
        it.channel.rotate()
        await it.it.time.advance(2.0)
        await client.send("after a rotation")
        await eventually(lambda: (b"after a rotation", False) in it.server.links[-1].sent)


async def test_a_channel_says_that_every_client_is_strict() -> None:
    plan = channel_plan(clients=ClientsPlan("shared", strict=True))
    async with faced(plan) as it, it.client() as client, it.client("/ws/news?strict=0") as held:
        it.server.link.end(upstream_closed(1006))
        assert await closed(client) == (1014, "closed by the server: 1006")
        await held.ping()
        assert it.channel.readers == 1
