"""A client's upgrade is answered with what became of its upstream's."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from websockets.http11 import Response

from tests.daemon.scripted import REFUSED, channel_plan, status
from tests.daemon.scripted import closed as upstream_closed
from tests.gateway.faced import Faced, faced
from tests.waiting import eventually
from wscli.control.protocol import FAILURE_HEADER
from wscli.core.failures import Failure, FailureKind
from wscli.core.states import ChannelState
from wscli.core.verdicts import parse_verdicts
from wscli.gateway.upgrade import negotiation
from wscli.transport.connection import UpgradeExchange

LAZY = channel_plan(eager=False)
OFFERS: Any = {"subprotocols": ["v1.json"]}


async def refused_by(failure: Failure) -> tuple[Response, Faced]:
    """The answer to the first client of a lazy channel whose dial fails."""
    async with faced(LAZY) as it:
        it.server.always = failure
        return await it.refused(), it


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (REFUSED, 502),
        (Failure(FailureKind.DNS, "cannot resolve api.example.com"), 502),
        (Failure(FailureKind.CERTIFICATE, "the certificate has expired"), 502),
        (Failure(FailureKind.TIMEOUT, "no answer within 10 s"), 504),
    ],
    ids=lambda value: str(getattr(value, "kind", value)),
)
async def test_the_first_client_is_refused_with_the_failure_of_its_dial(failure: Failure, code: int) -> None:
    answer, it = await refused_by(failure)
    assert (answer.status_code, answer.headers[FAILURE_HEADER]) == (code, failure.kind)
    assert (
        answer.body
        == f"channel 'news' is waiting: {failure.text}\nhint: `wscli doctor news` tells each step\n".encode()
    )
    assert len(it.server.dials) == 1


async def test_the_server_s_own_refusal_reaches_the_client() -> None:
    async with faced(LAZY) as it:
        it.server.always = status(401)
        dial = it.server.open_connection

        async def refuse(target: Any, listener: Any, timeline: Any) -> Any:
            headers = (("www-authenticate", 'Bearer realm="x"'), ("content-type", "application/json"))
            said = UpgradeExchange("ws://x/", status=401, phrase="Who", answer=headers, body='{"error":"who"}')
            timeline.exchanges.append(said)
            return await dial(target, listener, timeline)

        it.manager._services.dialer._open_connection = refuse
        answer = await it.refused()
        assert (answer.status_code, answer.reason_phrase, answer.body) == (401, "Who", b'{"error":"who"}')
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="x"'
        assert answer.headers[FAILURE_HEADER] == "status"


async def test_a_redirect_does_not_lead_a_client_past_the_manager() -> None:
    failure = Failure(FailureKind.STATUS, "a redirect", code=302, location="wss://other.test/?token=x")
    answer, _ = await refused_by(failure)
    assert answer.headers[FAILURE_HEADER] == "status"
    assert "Location" not in answer.headers


async def test_the_next_client_is_told_at_once_and_dials_no_sooner() -> None:
    async with faced(channel_plan(eager=False, linger=60.0)) as it:
        it.server.always = REFUSED
        for _ in range(5):
            assert (await it.refused()).headers["Retry-After"] == "1"
        assert len(it.server.dials) == 1


async def test_a_client_of_an_attempt_under_way_waits_for_its_end() -> None:
    async with faced(LAZY) as it:
        it.server.hold = asyncio.get_running_loop().create_future()
        coming = asyncio.ensure_future(it.client().__aenter__())
        await eventually(lambda: it.server.dials)
        assert not coming.done()
        it.server.hold.set_result(None)
        client = await coming
        it.server.link.say("hello")
        assert await client.recv() == "hello"
        await client.close()


@pytest.mark.parametrize("aborts", [False, True])
async def test_a_client_that_hangs_up_while_its_upgrade_waits_gives_its_place_back_at_once(aborts: bool) -> None:
    async with faced(channel_plan(eager=False, timeout=3600.0)) as it:
        it.server.hold = asyncio.get_running_loop().create_future()
        _, writer = await asyncio.open_connection("127.0.0.1", it.port)
        writer.write(it.upgrade())
        await eventually(lambda: it.server.dials)
        assert it.stats["clients"] == 1
        if aborts:
            writer.transport.abort()
        writer.close()
        await eventually(lambda: it.stats["clients"] == 0)
        assert not it.channel.in_use
        it.server.hold.set_result(None)


async def test_a_client_that_is_dialled_for_twice_is_let_in() -> None:
    async with faced(channel_plan(eager=False, verdicts=(parse_verdicts({"401": "reconnect"}),))) as it:
        it.server.refusals = [status(401)]
        async with it.client():
            assert len(it.server.dials) == 2


async def test_an_attempt_that_outlasts_the_dial_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(negotiation, "MARGIN", 0.0)
    async with faced(channel_plan(eager=False, timeout=0.05)) as it:
        it.server.hold = asyncio.get_running_loop().create_future()
        answer = await it.refused()
        assert (answer.status_code, answer.headers[FAILURE_HEADER]) == (504, "timeout")
        it.server.hold.set_result(None)


async def test_a_client_of_an_attempt_that_may_not_begin_is_told_when_to_try_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(negotiation, "MARGIN", 0.0)
    plans = [channel_plan(name, eager=False, timeout=0.05) for name in ("news", "other")]
    async with faced(*plans) as it:
        it.server.always = status(429, retry_after=30.0)
        await it.refused("/ws/other")
        answer = await it.refused()
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
        assert FAILURE_HEADER not in answer.headers
        assert b"is held back: " in answer.body
        assert len(it.server.dials) == 1


async def test_in_an_outage_a_client_is_let_in_and_held(it: Faced) -> None:
    it.server.link.end(upstream_closed(1006))
    it.server.always = REFUSED
    async with it.client() as client:
        await client.send("held")
        it.server.always = None
        await it.it.time.advance(10.0)
        await eventually(lambda: it.server.link.sent == [(b"held", False)])


@pytest.mark.parametrize("more", [{"path": "/ws/news?strict=1"}, OFFERS], ids=["strict", "it offers a subprotocol"])
async def test_in_an_outage_a_client_that_needs_the_upstream_is_told_of_it(
    it: Faced, monkeypatch: pytest.MonkeyPatch, more: Any
) -> None:
    monkeypatch.setattr(negotiation, "READY_WITHIN", 0.05)
    it.server.link.end(upstream_closed(1006))
    lost = await it.refused(**more)
    assert (lost.status_code, lost.headers["Retry-After"]) == (503, "1")
    it.server.always = status(503)
    await it.it.time.advance(1.0)
    assert (await it.refused(**more)).headers[FAILURE_HEADER] == "status"


async def test_a_channel_that_was_closed_in_between_was_not_ready() -> None:
    async with faced(LAZY) as it:
        async with it.client():
            pass
        await eventually(lambda: it.channel.readers == 0)
        await it.it.time.advance(1.0)
        assert it.channel.state is ChannelState.IDLE
        it.server.always = REFUSED
        assert (await it.refused()).status_code == 502


async def test_a_client_of_a_channel_closed_by_hand_is_held() -> None:
    async with faced(LAZY) as it:
        it.channel.pause()
        async with it.client() as client:
            await client.send("held")
            it.channel.resume()
            await eventually(lambda: it.server.links and it.server.link.sent == [(b"held", False)])


async def test_without_a_network_a_client_is_told_so() -> None:
    async with faced(channel_plan(eager=False, linger=60.0)) as it:
        it.server.always = REFUSED
        await it.refused()
        it.it.network(online=False)
        answer = await it.refused()
        assert answer.status_code == 502
        assert answer.body.startswith(b"channel 'news' is offline: no network leads to the server\n")
