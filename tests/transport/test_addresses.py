"""Where a dial leads, and what the server is told: written forms of a host, ``connect_to``, Unix sockets, ``Host``."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.transport.certificates import Certificates
from tests.transport.conftest import Dials
from tests.transport.proxies import http_proxy, socks5_proxy
from tests.transport.servers import TEXT, Peer, Server, frame, serve
from tests.transport.test_proxies import through
from tests.transport.test_refusals import refused
from wscli.core.failures import FailureKind
from wscli.net.tls import TlsSettings, make_tls
from wscli.transport.connection import DialTarget
from wscli.transport.dial.address import parse_target_url

seen: list[Peer] = []


@pytest.fixture(autouse=True)
def _no_peers() -> None:
    seen.clear()


async def accept(peer: Peer) -> None:
    await peer.upgrade(then=frame(TEXT, b"welcome"))
    seen.append(peer)
    await peer.gone()


async def opens(dial: Dials, url: str, **options: object) -> Peer:
    """Dial, wait for the first message, and give the server's end."""
    link, recorder = await dial(url, **options)
    assert await recorder.received(1) == [b"welcome"]
    link.abort()
    await recorder.ended()
    return seen[-1]


@asynccontextmanager
async def serve_unix(path: Path) -> AsyncIterator[Server]:
    """Serve ``accept`` on a Unix socket."""
    server = Server(accept)
    listening = await asyncio.start_unix_server(server.accepted, path)
    try:
        yield server
    finally:
        listening.close()
        await server.finish()


LOOPBACK_V4 = [
    "127.0.0.1",
    "127.1",
    "0x7f000001",
    "2130706433",
    "localhost",
    "LocalHost",
    "localhost.",
    "app.localhost",
]
LOOPBACK_V6 = ["[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::1%25lo]", "[::1%lo]", "[::1%251]"]


@pytest.mark.parametrize("host", LOOPBACK_V4)
async def test_an_ipv4_server_is_dialled_by_every_written_form(dial: Dials, host: str) -> None:
    async with serve(accept) as server:
        peer = await opens(dial, f"ws://{host}:{server.port}/x")
        told = peer.headers["host"].removesuffix(f":{server.port}")
        assert told in ("127.0.0.1", "localhost", "app.localhost")


@pytest.mark.parametrize("host", LOOPBACK_V6)
async def test_an_ipv6_server_is_dialled_by_every_written_form(dial: Dials, host: str) -> None:
    async with serve(accept, host="::1") as server:
        peer = await opens(dial, f"WS://{host}:{server.port}/x")
        assert peer.headers["host"] == f"[::1]:{server.port}"


@pytest.mark.parametrize("host", ["[::ffff:127.0.0.1]", "[::FFFF:7F00:1]"])
async def test_an_ipv4_server_is_dialled_by_its_mapped_address(dial: Dials, host: str) -> None:
    async with serve(accept) as server:
        await opens(dial, f"ws://{host}:{server.port}/x")


@pytest.mark.parametrize(
    ("url", "header", "tls_name"),
    [
        ("wss://API.Example.com/x", "api.example.com", "api.example.com"),
        ("wss://api.example.com./x", "api.example.com.", "api.example.com"),
        ("wss://api.example.com:443/x", "api.example.com", "api.example.com"),
        ("wss://api.example.com:0443/x", "api.example.com", "api.example.com"),
        ("ws://api.example.com:443/x", "api.example.com:443", "api.example.com"),
        ("wss://b\u00fccher.example/x", "xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("wss://my_service:8443/x", "my_service:8443", "my_service"),
        ("wss://[2001:DB8::1]/x", "[2001:db8::1]", "2001:db8::1"),
        ("wss://[fe80::1%25eth0]:8443/x", "[fe80::1]:8443", "fe80::1"),
    ],
)
def test_host_and_the_name_of_tls_follow_from_the_url(url: str, header: str, tls_name: str) -> None:
    found = parse_target_url(DialTarget(url))
    assert (found.host_header, found.tls_name) == (header, tls_name)


async def test_a_name_beyond_ascii_is_looked_up_by_its_idna_form(dial: Dials, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def getaddrinfo(host: str, port: int, **options: object) -> list[object]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    async with serve(accept) as server:
        peer = await opens(dial, f"ws://B\u00fccher.example:{server.port}/x")
        assert asked == ["xn--bcher-kva.example"]
        assert peer.headers["host"] == f"xn--bcher-kva.example:{server.port}"


async def test_the_header_host_is_the_targets_own_and_comes_first(dial: Dials) -> None:
    async with serve(accept) as server:
        peer = await opens(dial, server.url, headers=(("X-First", "x"), ("HOST", "front.example")))
        assert next(iter(peer.headers)) == "host"
        assert peer.headers["host"] == "front.example"


@pytest.mark.parametrize("to", ["127.0.0.1:{port}", "localhost:{port}"])
async def test_connect_to_leads_elsewhere_and_the_server_is_told_the_url(dial: Dials, to: str) -> None:
    async with serve(accept) as server:
        peer = await opens(dial, "ws://api.example.com/x", connect_to=to.format(port=server.port))
        assert peer.headers["host"] == "api.example.com"
        assert dial.timeline.peer == f"127.0.0.1:{server.port}"


async def test_connect_to_leaves_sni_and_the_certificate_to_the_url(dial: Dials, certs: Certificates) -> None:
    tls = make_tls(TlsSettings(ca=str(certs.ca)))
    async with serve(accept, tls=certs.serving(certs.other_host)) as server:
        to = f"127.0.0.1:{server.port}"
        await opens(dial, "wss://elsewhere.example/x", tls=tls, connect_to=to)
        failure = await refused(dial, "wss://wrong.example/x", tls=tls, connect_to=to)
        assert failure.kind is FailureKind.CERTIFICATE
        assert failure.text.startswith(f"the certificate of {to} is refused: hostname mismatch")


async def test_a_proxy_is_asked_for_connect_to(dial: Dials) -> None:
    asked: list[Peer] = []
    named: list[tuple[str, ...]] = []
    async with (
        serve(accept) as server,
        serve(http_proxy(asked, port=server.port)) as by_http,
        serve(socks5_proxy(named, port=server.port)) as by_socks,
    ):
        url, to = "ws://api.example.com/x", "[2001:db8::1]:8443"
        await opens(dial, url, connect_to=to, proxy=through("http", by_http))
        await opens(dial, url, connect_to="back:80", proxy=through("socks5h", by_socks))
        assert asked[0].request_line == f"CONNECT {to} HTTP/1.1"
        assert asked[0].headers["host"] == to
        assert named == [("back",)]
        assert {peer.headers["host"] for peer in seen} == {"api.example.com"}


async def test_a_refusal_names_where_connect_to_leads(dial: Dials) -> None:
    async with serve(accept) as server:
        pass
    failure = await refused(dial, "ws://api.example.com/x", connect_to=f"127.0.0.1:{server.port}")
    text = f"cannot connect to 127.0.0.1:{server.port}: connection refused"
    assert (failure.kind, failure.text) == (FailureKind.TCP, text)


async def test_a_unix_socket_is_dialled_whatever_the_proxy(
    dial: Dials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", "http://127.0.0.1:1")
    path = tmp_path / "app 1@x.sock"
    async with serve_unix(path) as server:
        peer = await opens(dial, "ws://localhost/feed?x=1", connect_to=f"unix:{path}", proxy="auto")
        await server.scripts_done()
        assert (peer.request_line, peer.headers["host"]) == ("GET /feed?x=1 HTTP/1.1", "localhost")
        assert [step.name for step in dial.timeline.steps] == ["tcp", "upgrade"]
        assert dial.timeline.peer == f"unix:{path}"


async def test_a_unix_socket_that_is_not_there_is_named(dial: Dials, tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    failure = await refused(dial, "ws://localhost/", connect_to=f"unix:{path}")
    text = f"cannot connect to unix:{path}: no such file or directory"
    assert (failure.kind, failure.text) == (FailureKind.TCP, text)
    failure = await refused(dial, "ws://localhost/", connect_to=f"unix:{path}", label="***")
    assert failure.text == "cannot connect to ***: no such file or directory"


async def test_an_unknown_zone_is_a_failure(dial: Dials) -> None:
    failure = await refused(dial, "ws://[fe80::1%25nowhere0]:1/")
    assert failure.text == "cannot connect to [fe80::1%nowhere0]:1: no such device"
