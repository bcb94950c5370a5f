"""The HTTP client against real servers: redirects, limits, deadlines, proxies, and nothing left open."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from tests.waiting import descriptors, eventually
from wscli.net.http import HttpClient, HttpRequest, RequestFailed


def request(url: str, **keys: Any) -> HttpRequest:
    return HttpRequest(keys.pop("method", "POST"), url, keys.pop("shown", "https://shown/x"), **keys)


async def failure(client: HttpClient, made: HttpRequest) -> str:
    with pytest.raises(RequestFailed) as caught:
        (await client.fetch(made)).text(made.shown)
    return caught.value.text


async def test_a_request_arrives_as_it_was_made(http: HttpClient, endpoint: Any) -> None:
    endpoint.say("abc")
    made = request(endpoint.url + "/t?a=b%2Fc", headers={"Authorization": "Bearer x", "X-A": "1"}, body=b"{}")
    answer = await http.fetch(made)
    assert (answer.status, answer.text("")) == (200, "abc")
    (seen,) = endpoint.seen
    assert (seen.method, seen.path, seen.body) == ("POST", "/t?a=b%2Fc", b"{}")
    assert (seen.headers["authorization"], seen.headers["x-a"]) == ("Bearer x", "1")
    assert seen.headers["user-agent"].startswith("wscli/")


@pytest.mark.parametrize(("after", "seconds"), [("7", 7.0), ("Fri, 15 Jan 2027 08:00:09 GMT", 9.0)])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
async def test_a_status_is_an_error_that_names_the_url_and_nothing_of_the_body(
    http: HttpClient, endpoint: Any, status: int, after: str, seconds: float
) -> None:
    """A date in Retry-After counts from the answer's own."""
    endpoint.say("hunter2", status=status, headers={"Retry-After": after, "Date": "Fri, 15 Jan 2027 08:00:00 GMT"})
    with pytest.raises(RequestFailed) as caught:
        (await http.fetch(request(endpoint.url))).text("https://shown/x")
    assert caught.value.text == f"HTTP {status} from https://shown/x"
    assert (caught.value.retry_after, caught.value.refused) == (seconds, status in (401, 403))


def redirecting(status: int, location: str) -> Callable[[web.Request], Any]:
    async def answer(asked: web.Request) -> web.Response:
        if asked.path == "/end":
            return web.Response(text="token")
        return web.Response(status=status, headers={"Location": location})

    return answer


@pytest.mark.parametrize(
    ("status", "method", "then", "body"),
    [
        *((status, "POST", "GET", b"") for status in (301, 302, 303)),
        *((status, "POST", "POST", b"{}") for status in (307, 308)),
        (303, "PUT", "GET", b""),
        (302, "PUT", "PUT", b"{}"),
        (302, "GET", "GET", b""),
    ],
)
async def test_a_redirect_to_the_same_origin_is_followed(
    http: HttpClient, endpoint: Any, status: int, method: str, then: str, body: bytes
) -> None:
    endpoint.answer = redirecting(status, "/end")
    made = request(
        endpoint.url + "/a",
        method=method,
        headers={"Authorization": "Bearer x", "Content-Type": "application/json"},
        body=None if method == "GET" else b"{}",
    )
    assert (await http.fetch(made)).text("") == "token"
    seen = endpoint.seen[-1]
    assert (seen.method, seen.path, seen.body) == (then, "/end", body)
    assert seen.headers["authorization"] == "Bearer x"
    assert ("content-type" in seen.headers) == (then == method)


async def test_a_redirect_keeps_the_urls_user(http: HttpClient, endpoint: Any) -> None:
    endpoint.answer = redirecting(307, "/end")
    await http.fetch(request(endpoint.url.replace("//", "//me:secret@") + "/a"))
    assert [seen.headers["authorization"] for seen in endpoint.seen] == ["Basic bWU6c2VjcmV0"] * 2


async def test_credentials_never_follow_a_redirect_to_another_origin(
    http: HttpClient, endpoint: Any, other_endpoint: Any
) -> None:
    other_endpoint.say("token")
    endpoint.answer = redirecting(307, other_endpoint.url + "/end?hunter2")
    made = request(endpoint.url, headers={"Authorization": "Bearer x", "X-Api-Key": "y"}, body=b"{}")
    text = await failure(http, made)
    assert text == "https://shown/x redirects to another origin, where credentials are not sent"
    assert other_endpoint.seen == []


async def test_redirects_that_lead_nowhere_or_in_a_circle_end(http: HttpClient, endpoint: Any) -> None:
    endpoint.answer = redirecting(302, "/again")
    assert await failure(http, request(endpoint.url)) == "https://shown/x redirects more than 5 times"
    assert len(endpoint.seen) == 6
    endpoint.say(status=302)
    assert await failure(http, request(endpoint.url)) == "https://shown/x redirects without a Location"


async def test_cookies_are_not_kept(http: HttpClient, endpoint: Any) -> None:
    endpoint.say("x", headers={"Set-Cookie": "a=b; Path=/"})
    for _ in range(2):
        await http.fetch(request(endpoint.url))
    assert "cookie" not in endpoint.seen[1].headers


async def test_the_deadline_covers_all_redirects_and_the_whole_answer(http: HttpClient, endpoint: Any) -> None:
    over = asyncio.Event()

    async def slow(asked: web.Request) -> web.StreamResponse:
        if asked.path != "/end":
            return web.Response(status=302, headers={"Location": "/end"})
        response = web.StreamResponse()
        await response.prepare(asked)
        await response.write(b"half a tok")
        await over.wait()
        return response

    endpoint.answer = slow
    assert await failure(http, request(endpoint.url, timeout=0.1)) == "no answer from https://shown/x within 0.1 s"
    over.set()


async def test_a_huge_answer_is_cut_off(http: HttpClient, endpoint: Any) -> None:
    endpoint.say("x" * ((1 << 20) + 1))
    assert await failure(http, request(endpoint.url)) == "the answer from https://shown/x is larger than 1 MiB"
    endpoint.say("x" * (1 << 20))
    assert len((await http.fetch(request(endpoint.url))).body) == 1 << 20


async def test_a_compressed_answer_is_never_unfolded(http: HttpClient, endpoint: Any) -> None:
    async def bomb(_: web.Request) -> web.Response:
        response = web.Response(body=b"\0" * (64 << 20), headers={"Content-Type": "text/plain"})
        response.enable_compression(web.ContentCoding.gzip)
        return response

    endpoint.answer = bomb
    assert await failure(http, request(endpoint.url)) == "the answer from https://shown/x is not UTF-8"
    assert endpoint.seen[0].headers["accept-encoding"] == "identity"


async def test_the_body_of_an_error_is_read_only_on_request(http: HttpClient, endpoint: Any) -> None:
    endpoint.say('{"error":"invalid_grant"}', status=400)
    assert (await http.fetch(request(endpoint.url))).body == b""
    assert (await http.fetch(request(endpoint.url), read_errors=True)).body == b'{"error":"invalid_grant"}'


@asynccontextmanager
async def raw(sent: bytes, **keys: Any) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Serve these bytes to each request, and hang up; give the host with its port, and the requests."""
    asked: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(sent)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, **keys)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()
        await server.wait_closed()


CLOSED_PORT = "127.0.0.1:1"


BROKEN_OFF = "the connection ended before the whole answer"


@pytest.mark.parametrize(
    ("method", "sent", "text"),
    [
        *((method, b"", BROKEN_OFF) for method in ("GET", "PUT", "POST")),
        ("POST", b"SSH-2.0-hunter2\r\n\r\n", "the answer is not HTTP"),
        ("POST", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhunter2", BROKEN_OFF),
        ("POST", b"HTTP/1.1 200 OK\r\nX: " + b"hunter2" * 9999 + b"\r\n\r\n", "the answer is not HTTP"),
    ],
)
async def test_a_server_that_is_not_http_or_hangs_up_is_asked_once_and_not_quoted(
    http: HttpClient, method: str, sent: bytes, text: str
) -> None:
    async with raw(sent) as (host, asked):
        assert await failure(http, request(f"http://{host}/", method=method)) == f"{text} (https://shown/x)"
    assert len(asked) == 1


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200\r\nContent-Length: 2\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Big: " + b"x" * 60_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + b"".join(b"X-%d: x\r\n" % at for at in range(120)),
        b"HTTP/1.0 200 OK\r\n",
    ],
    ids=["no phrase", "a header of 60 KiB", "120 headers", "HTTP/1.0"],
)
async def test_a_valid_answer_is_read_however_unusual(http: HttpClient, head: bytes) -> None:
    async with raw(head + b"\r\nok") as (host, _):
        assert (await http.fetch(request(f"http://{host}/"))).body == b"ok"


async def test_a_url_that_leads_nowhere_is_said_without_quoting_it(http: HttpClient) -> None:
    text = await failure(http, request(f"http://{CLOSED_PORT}/hunter2"))
    assert text == "cannot connect: connection refused (https://shown/x)"
    for url in ("http://a..b/hunter2", "http://hunter2:x/", "hunter2", "http://", "ftp://hunter2/"):
        text = await failure(http, request(url))
        assert text.endswith(" (https://shown/x)")
        assert "hunter2" not in text


async def test_requests_leave_no_descriptor_open(http: HttpClient, endpoint: Any) -> None:
    endpoint.say("x")
    await http.fetch(request(endpoint.url))
    await asyncio.sleep(0)
    gc.collect()
    before = descriptors()
    for _ in range(20):
        await http.fetch(request(endpoint.url))
    await http.close()
    await eventually(lambda: descriptors() <= before)  # once the server notices that we hung up
