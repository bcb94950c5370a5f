"""HTTP requests by other ways: through HTTP and SOCKS proxies, and to hosts in every written form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.net.test_http import CLOSED_PORT, failure, request
from tests.transport.certificates import Certificates
from tests.transport.proxies import socks4_proxy, socks5_proxy
from tests.transport.servers import Peer, Script, serve, silent
from tests.waiting import descriptors, eventually
from wscli.net.http import HttpClient, RequestFailed
from wscli.net.proxy import ProxySettings
from wscli.net.tls import TlsSettings
from wscli.values import Secret


async def test_a_proxy_is_asked_and_given_its_credentials(http: HttpClient, endpoint: Any) -> None:
    endpoint.say("through")
    proxy = ProxySettings(url=Secret(endpoint.url), username=Secret("me"), password=Secret("secret"))
    answer = await http.fetch(request("http://api.example.com/t", proxy=proxy))
    assert answer.text("") == "through"
    assert endpoint.seen[0].headers["proxy-authorization"] == "Basic bWU6c2VjcmV0"
    assert endpoint.seen[0].headers["host"] == "api.example.com"


@pytest.mark.parametrize(
    ("scheme", "make", "named"),
    [
        ("socks5h", socks5_proxy, "api.example.com"),
        ("socks5", socks5_proxy, "127.0.0.1"),
        ("socks4a", socks4_proxy, "api.example.com"),
        ("socks4", socks4_proxy, "127.0.0.1"),
    ],
)
async def test_a_request_goes_through_a_socks_proxy(
    http: HttpClient, endpoint: Any, scheme: str, make: Callable[..., Script], named: str
) -> None:
    """The h and the a leave the name to the proxy, as in curl; the request is as without a proxy."""
    endpoint.say("through")
    asked: list[tuple[str, ...]] = []
    host = named if named == "api.example.com" else "localhost"
    async with serve(make(asked, port=urlsplit(endpoint.url).port)) as by:
        proxy = ProxySettings(url=Secret(f"{scheme}://127.0.0.1:{by.port}"))
        for _ in range(2):
            answer = await http.fetch(request(f"http://{host}/t?x=1", proxy=proxy, method="POST", body=b"{}"))
            assert answer.text("") == "through"
        await by.scripts_done()
    assert asked == [(named,)] * 2
    assert endpoint.seen[0].path == "/t?x=1"
    assert endpoint.seen[0].headers["host"] == host


async def test_tls_through_a_socks_proxy_is_with_the_server(http: HttpClient, certs: Certificates) -> None:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    asked: list[tuple[str, ...]] = []
    async with (
        serve(script, tls=certs.serving(certs.other_host)) as server,
        serve(socks5_proxy(asked, port=server.port, password="p@ss")) as by,
    ):
        proxy = ProxySettings(url=Secret(f"socks5h://me:p%40ss@127.0.0.1:{by.port}"))
        made = request("https://elsewhere.example/t", proxy=proxy, tls=TlsSettings(ca=str(certs.ca)))
        assert (await http.fetch(made)).body == b"ok"
        assert asked == [("elsewhere.example", "me", "p@ss")]
        wrong = request("https://wrong.example/t", proxy=proxy, tls=TlsSettings(ca=str(certs.ca)))
        assert "the certificate is refused: hostname mismatch" in await failure(http, wrong)


async def test_a_socks_proxy_that_refuses_or_is_gone_is_named_as_such(http: HttpClient) -> None:
    asked: list[tuple[str, ...]] = []
    async with serve(socks5_proxy(asked, port=1, password="right")) as by:
        refusing = ProxySettings(url=Secret(f"socks5h://me:hunter2@127.0.0.1:{by.port}"))
        text = await failure(http, request("https://a.example/", proxy=refusing))
        assert text == "the proxy refused: username and password authentication failure (https://shown/x)"
    gone = ProxySettings(url=Secret(f"socks5://me:hunter2@{CLOSED_PORT}"))
    text = await failure(http, request("https://127.0.0.1/", proxy=gone))
    assert text == "cannot connect to the proxy: connection refused (https://shown/x)"
    odd = ProxySettings(url=Secret("socks5://me:hunter2@h:0"))
    assert await failure(http, request("https://a/", proxy=odd)) == "the proxy cannot be used: its URL is invalid"


async def test_a_socks_proxy_that_never_answers_is_left_at_the_deadline(http: HttpClient) -> None:
    async with serve(silent) as by:
        before = descriptors()
        proxy = ProxySettings(url=Secret(f"socks5h://127.0.0.1:{by.port}"))
        text = await failure(http, request("https://a.example/", proxy=proxy, timeout=0.05))
        assert text == "no answer from https://shown/x within 0.05 s"
        await eventually(lambda: descriptors() <= before + 1)


async def test_a_socks_proxy_of_the_environment_is_used(tmp_path: Path, clock: Any, endpoint: Any) -> None:
    endpoint.say("through")
    asked: list[tuple[str, ...]] = []
    async with serve(socks5_proxy(asked, port=urlsplit(endpoint.url).port)) as by:
        client = HttpClient(base=tmp_path, clock=clock, environ={"all_proxy": f"socks5h://127.0.0.1:{by.port}"})
        assert (await client.fetch(request("http://api.example.com/"))).text("") == "through"
        await client.close()
        await by.scripts_done()
    assert asked == [("api.example.com",)]


async def test_the_environments_proxy_is_used_unless_none_is_asked_for(
    tmp_path: Path, clock: Any, endpoint: Any, other_endpoint: Any
) -> None:
    endpoint.say("proxy")
    other_endpoint.say("direct")
    client = HttpClient(base=tmp_path, clock=clock, environ={"http_proxy": endpoint.url})
    assert (await client.fetch(request(other_endpoint.url))).text("") == "proxy"
    assert (await client.fetch(request(other_endpoint.url, proxy="none"))).text("") == "direct"
    await client.close()


async def test_a_proxy_that_refuses_is_named_as_such(http: HttpClient, endpoint: Any) -> None:
    endpoint.say("hunter2", status=407)
    proxy = ProxySettings(url=Secret(endpoint.url))
    gone = ProxySettings(url=Secret(f"http://{CLOSED_PORT}"))
    for url, asked, text in (
        ("https://api.example.com/t", proxy, "the proxy answered HTTP 407"),
        ("http://api.example.com/t", gone, "cannot connect to the proxy: connection refused"),
    ):
        with pytest.raises(RequestFailed) as caught:
            await http.fetch(request(url, proxy=asked))
        assert (caught.value.text, caught.value.refused) == (f"{text} (https://shown/x)", asked is proxy)


@pytest.mark.parametrize("host", ["127.1", "localhost", "LocalHost", "0x7f.0.0.1", "[::ffff:127.0.0.1]", "localhost."])
async def test_a_url_may_name_its_host_in_every_written_form(http: HttpClient, endpoint: Any, host: str) -> None:
    endpoint.say("x")
    port = urlsplit(endpoint.url).port
    assert (await http.fetch(request(f"http://{host}:{port}/t"))).text("") == "x"


async def test_a_proxy_may_be_named_in_every_written_form(http: HttpClient, endpoint: Any) -> None:
    endpoint.say("through")
    port = urlsplit(endpoint.url).port
    for host in ("127.1", "LOCALHOST", "localhost."):
        proxy = ProxySettings(url=Secret(f"HTTP://{host}:{port}"))
        assert (await http.fetch(request("http://api.example.com/t", proxy=proxy))).body == b"through"


async def test_a_host_beyond_ascii_is_named_by_its_idna_form(http: HttpClient, endpoint: Any) -> None:
    endpoint.say("x")
    proxy = ProxySettings(url=Secret(endpoint.url))
    await http.fetch(request("http://B\u00fccher.example/\u00fc?x=\u00e4", proxy=proxy))
    assert endpoint.seen[0].headers["host"] == "xn--bcher-kva.example"
