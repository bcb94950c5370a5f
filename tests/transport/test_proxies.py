"""Proxies: which one is taken, what is said to it, and that neither side sees what is meant for the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.daemon.passing import let_pass
from tests.transport import servers
from tests.transport.certificates import Certificates
from tests.transport.conftest import Dials
from tests.transport.proxies import http_proxy, pipe, socks4_proxy, socks5_proxy
from tests.transport.servers import Peer, Server, serve
from tests.transport.test_refusals import refused
from wscli.core.failures import FailureKind
from wscli.net.proxy import ProxySettings
from wscli.net.tls import TlsSettings, make_tls
from wscli.values import Secret

PROXY_VARIABLES = [f"{name}_proxy" for name in ("ws", "wss", "http", "https", "socks", "all", "no")]


seen: list[Peer] = []


@pytest.fixture(autouse=True)
def _no_peers_and_no_proxies_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    seen.clear()
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


async def echo(peer: Peer) -> None:
    seen.append(peer)
    await servers.echo(peer)


def through(scheme: str, proxy: Server, userinfo: str = "") -> ProxySettings:
    return ProxySettings(url=Secret(f"{scheme}://{userinfo}{proxy.host}:{proxy.port}"))


async def talk(dial: Dials, url: str, **options: object) -> None:
    """Open, send a message, and see it come back."""
    link, recorder = await dial(url, **options)
    await link.send(b"there and back", binary=False)
    assert await recorder.received(1) == [b"there and back"]
    await link.close()
    assert (await recorder.ended()).code == 1000


@pytest.mark.parametrize(("userinfo", "credentials"), [("", None), ("user:p%40ss@", "Basic dXNlcjpwQHNz")])
async def test_through_an_http_proxy(dial: Dials, userinfo: str, credentials: str | None) -> None:
    """The proxy learns the name and the port, and nothing of the request; its password goes to it alone."""
    asked: list[Peer] = []
    async with serve(echo) as server, serve(http_proxy(asked, port=server.port)) as proxy:
        headers = (("Authorization", "Bearer s3cret"),)
        await talk(dial, "ws://far.example/x", headers=headers, proxy=through("http", proxy, userinfo))
        assert asked[0].request_line == "CONNECT far.example:80 HTTP/1.1"
        assert "authorization" not in asked[0].headers
        assert asked[0].headers.get("proxy-authorization") == credentials
        assert "proxy-authorization" not in seen[0].headers
        assert seen[0].headers["host"] == "far.example"
        steps = dial.timeline.steps
        assert [(step.name, step.ok) for step in steps] == [(name, True) for name in ("dns", "tcp", "proxy", "upgrade")]
        assert steps[2].detail == "CONNECT through the proxy"
        assert dial.timeline.peer == "the proxy"


async def test_tls_through_an_http_proxy_is_with_the_server(dial: Dials, certs: Certificates) -> None:
    asked: list[Peer] = []
    async with (
        serve(echo, tls=certs.serving(certs.other_host)) as server,
        serve(http_proxy(asked, port=server.port)) as proxy,
    ):
        tls = make_tls(TlsSettings(ca=str(certs.ca)))
        await talk(dial, "wss://elsewhere.example/x", tls=tls, proxy=through("http", proxy))
        assert asked[0].request_line == "CONNECT elsewhere.example:443 HTTP/1.1"
        assert [step.name for step in dial.timeline.steps] == ["dns", "tcp", "proxy", "tls", "upgrade"]


@pytest.mark.parametrize("secure", [False, True])
async def test_through_an_https_proxy(
    dial: Dials, certs: Certificates, secure: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TLS to the proxy by the system's authorities, and TLS in TLS to the server."""
    monkeypatch.setattr("wscli.transport.dial.tunnel.make_tls", lambda plan: make_tls(TlsSettings(ca=str(certs.ca))))
    asked: list[Peer] = []
    serving = certs.serving(certs.other_host, client_ca=certs.ca) if secure else None
    async with (
        serve(echo, tls=serving) as server,
        serve(http_proxy(asked, port=server.port), tls=certs.serving(certs.good)) as proxy,
    ):
        link, recorder = await dial(
            "wss://elsewhere.example/x" if secure else "ws://elsewhere.example/x",
            tls=make_tls(TlsSettings(ca=str(certs.ca), cert=str(certs.client))) if secure else None,
            proxy=through("https", proxy, "user:pass@"),
        )
        await link.send(b"x" * 300_000, binary=False)
        assert await recorder.received(1) == [b"x" * 300_000]
        await link.close()
        assert (await recorder.ended()).code == 1000
        assert asked[0].headers["proxy-authorization"] == "Basic dXNlcjpwYXNz"


@pytest.mark.parametrize(
    ("scheme", "make", "named"),
    [
        ("socks5h", socks5_proxy, "localhost"),
        ("socks5", socks5_proxy, "127.0.0.1"),
        ("socks4a", socks4_proxy, "localhost"),
        ("socks4", socks4_proxy, "127.0.0.1"),
    ],
)
async def test_through_a_socks_proxy(dial: Dials, scheme: str, make: Callable[..., object], named: str) -> None:
    """The h and the a leave the name to the proxy, as in curl."""
    asked: list[tuple[str, ...]] = []
    async with serve(echo) as server, serve(make(asked, port=server.port)) as proxy:  # type: ignore[arg-type]  # a Script
        await talk(dial, f"ws://localhost:{server.port}/x", proxy=through(scheme, proxy))
        assert asked[0][0] in (named, "::1")
        assert [step.name for step in dial.timeline.steps] == ["proxy", "upgrade"]


async def test_socks5_with_a_password(dial: Dials) -> None:
    asked: list[tuple[str, ...]] = []
    async with serve(echo) as server, serve(socks5_proxy(asked, port=server.port, password="p@ss")) as proxy:
        await talk(dial, "ws://far.example/x", proxy=through("socks5h", proxy, "user:p%40ss@"))
        assert asked == [("far.example", "user", "p@ss")]
        failure = await refused(dial, "ws://far.example/x", proxy=through("socks5h", proxy, "user:s3cret@"))
        assert failure.kind is FailureKind.PROXY
        assert failure.text == "the proxy refused: username and password authentication failure"
        assert failure.refused


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (b"HTTP/1.1 407 Authenticate\r\n\r\n", "answered CONNECT with HTTP 407 Authenticate"),
        (b"HTTP/1.0 403 Forbidden\r\n\r\n", "answered CONNECT with HTTP 403 Forbidden"),
        (b"SSH-2.0-x\r\n\r\n", "did not answer CONNECT with HTTP"),
        (b"", "closed the connection without answering CONNECT"),
        (b"HTTP/1.1 200 OK\r\n\r\nsurprise", "sent data before the tunnel was used"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000, "answered CONNECT with more than 65536 bytes of headers"),
    ],
)
async def test_a_proxy_that_refuses_is_a_failure_of_the_proxy(dial: Dials, answer: bytes, text: str) -> None:
    """Without a code: an HTTP status of a proxy's says nothing of the endpoint's tokens."""

    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(answer)

    async with serve(script) as proxy:
        failure = await refused(dial, "ws://far.example/x", proxy=through("http", proxy))
        assert (failure.kind, failure.code, failure.text) == (FailureKind.PROXY, None, f"the proxy {text}")
        assert failure.refused == ("407" in text)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200\r\n\r\n",
        b"HTTP/1.0 200 Connection established\n\n",
        b"HTTP/1.1 200 OK\r\nX-Long: a\r\n folded\r\n" + b"X: y\r\n" * 1000 + b"\r\n",
    ],
    ids=["no phrase", "line feeds", "long"],
)
async def test_every_valid_answer_to_connect_opens_the_tunnel(dial: Dials, answer: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        await pipe(peer, "127.0.0.1", server.port, answer)

    async with serve(echo) as server, serve(script) as proxy:
        await talk(dial, "ws://far.example/x", proxy=through("http", proxy))


async def test_a_proxy_that_never_answers_is_left_at_the_deadline(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.read(1)
        let_pass(30.0)
        await peer.gone()

    async with serve(script) as proxy:
        for scheme in ("http", "socks5"):
            failure = await refused(dial, "ws://127.0.0.1:1/x", proxy=through(scheme, proxy), timeout=30.0)
            assert (failure.kind, failure.text) == (FailureKind.TIMEOUT, "no answer from the proxy within 30s")
        await proxy.scripts_done()


async def test_a_proxy_that_is_not_there(dial: Dials) -> None:
    async with serve(lambda peer: peer.gone()) as proxy:
        pass
    for scheme, kind in (("http", FailureKind.TCP), ("socks5h", FailureKind.PROXY)):
        failure = await refused(dial, "ws://far.example/x", proxy=through(scheme, proxy))
        assert (failure.kind, failure.text) == (kind, "cannot connect to the proxy: connection refused")


@pytest.mark.parametrize("url", ["ftp://h:1", "http://", "http://h:x", "socks6://s3cret@h", "s3cret", "http://[h"])
async def test_a_proxy_url_that_cannot_be_used_is_not_quoted(dial: Dials, url: str) -> None:
    failure = await refused(dial, "ws://far.example/x", proxy=ProxySettings(url=Secret(url)))
    assert failure.kind is FailureKind.PROXY
    assert failure.text.startswith("the proxy cannot be used: ")
    assert "s3cret" not in failure.text


@pytest.mark.parametrize(
    ("choice", "variables", "taken"),
    [
        ("auto", {"ws_proxy": "{proxy}", "all_proxy": "{none}"}, True),
        ("auto", {"http_proxy": "{proxy}"}, True),
        ("auto", {"all_proxy": "{bare}"}, True),
        ("auto", {"http_proxy": "{none}", "NO_PROXY": "other.example, localhost:{port}"}, False),
        ("none", {"all_proxy": "{none}"}, False),
    ],
)
async def test_auto_follows_the_environment_and_none_ignores_it(
    dial: Dials, choice: str, variables: dict[str, str], taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Peer] = []
    async with serve(echo, host="localhost") as server, serve(http_proxy(asked, port=server.port)) as proxy:
        texts = {
            "proxy": f"http://127.0.0.1:{proxy.port}",
            "bare": f"127.0.0.1:{proxy.port}",
            "none": "http://127.0.0.1:1",
            "port": str(server.port),
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value.format(**texts))
        await talk(dial, server.url, proxy=choice)
        assert bool(asked) is taken
        if taken:
            assert dial.timeline.steps[2].detail == f"CONNECT through the proxy 127.0.0.1:{proxy.port}"


async def test_a_cancelled_dial_through_a_proxy_closes_what_it_opened(dial: Dials) -> None:
    arrived = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.reader.read(10)
        arrived.set()
        await peer.gone()

    async with serve(script) as proxy:
        for scheme in ("http", "https", "socks5", "socks4"):
            arrived.clear()
            dialling = asyncio.ensure_future(dial("ws://127.0.0.1:9/x", proxy=through(scheme, proxy), timeout=30.0))
            await arrived.wait()
            dialling.cancel()
            with pytest.raises(asyncio.CancelledError):
                await dialling
            await proxy.scripts_done()
