"""What was asked and answered is kept for ``doctor``, by both adapters alike."""

from __future__ import annotations

import pytest

from tests.transport.conftest import Dials
from tests.transport.servers import Peer, refusing, serve
from tests.transport.test_refusals import refused


async def test_an_upgrade_has_what_was_offered_and_accepted(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        await peer.upgrade("Sec-WebSocket-Protocol: v2", "X-Served-By: a")
        await peer.gone()

    options = {"subprotocols": ("v1", "v2"), "headers": (("X-Api-Key", "s3cret"),), "shown": "ws://server/feed"}
    async with dial.served(script, **options):
        (exchange,) = dial.timeline.exchanges
        assert (exchange.url, exchange.proxy, exchange.status) == ("ws://server/feed", None, 101)
        assert exchange.headers[:3] == ("Host", "User-Agent", "X-Api-Key")
        assert "Sec-WebSocket-Protocol" in exchange.headers
        assert (exchange.subprotocols, exchange.extensions) == (("v1", "v2"), None)
        assert dict(exchange.answer)["sec-websocket-protocol"] == "v2"
        assert dict(exchange.answer)["x-served-by"] == "a"
        assert "s3cret" not in repr(dial.timeline)


async def test_compression_is_offered_as_the_header_says(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        await peer.upgrade()
        await peer.gone()

    async with dial.served(script, compression="deflate"):
        (exchange,) = dial.timeline.exchanges
        assert (exchange.extensions or "").startswith("permessage-deflate") == (dial.adapter == "websockets")


async def test_a_refusal_has_its_status_its_headers_and_its_body(dial: Dials) -> None:
    async with serve(refusing("403 Forbidden", "Set-Cookie: a=s3cret", body=b'{"error":"expired"}')) as server:
        await refused(dial, server.url)
    (exchange,) = dial.timeline.exchanges
    assert (exchange.status, exchange.phrase, exchange.body) == (403, "Forbidden", '{"error":"expired"}')
    assert ("set-cookie", "a=s3cret") in exchange.answer


async def test_a_dial_that_reaches_nobody_says_what_would_have_been_asked(dial: Dials) -> None:
    async with serve(refusing("200 OK")) as server:
        pass
    await refused(dial, server.url, shown="ws://server/feed?token=***")
    assert [(one.url, one.status) for one in dial.timeline.exchanges] == [("ws://server/feed?token=***", None)]


@pytest.mark.parametrize("shown", [None, "http://***:3128"])
async def test_the_proxy_is_named_without_its_user(
    dial: Dials, shown: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(refusing("407 Proxy Authentication Required", body=b"who are you?")) as proxy:
        monkeypatch.setenv("http_proxy", f"http://bob:s3cret@127.0.0.1:{proxy.port}")
        failure = await refused(dial, "ws://server.invalid/feed", proxy="auto", shown_proxy=shown)
    assert failure.text.endswith("answered CONNECT with HTTP 407 Proxy Authentication Required: who are you?")
    (exchange,) = dial.timeline.exchanges
    assert exchange.proxy == (shown or f"http://127.0.0.1:{proxy.port}")
