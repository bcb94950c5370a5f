"""The gateway's server: access, limits, addresses, and its answers to HTTP requests."""

from __future__ import annotations

import asyncio
import json
import socket
from base64 import urlsafe_b64encode
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import InvalidStatus

from tests.daemon.scripted import closed as upstream_closed
from tests.gateway.faced import TOKEN, Faced, closed, faced, upgrade_request
from tests.waiting import eventually
from wscli.config.models.gateway import Listen
from wscli.daemon.outbox import Outbox
from wscli.gateway.server import MOST_STRANGERS, Gateway


async def ask(port: int, request: bytes) -> bytes:
    """Send bytes, and give all that comes back until the gateway hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        async with asyncio.timeout(30):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def get(it, path: str, *, method="GET", token=TOKEN, host=None, more="") -> tuple[int, bytes]:
    host = host or f"127.0.0.1:{it.port}"
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    request = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{authorization}{more}\r\n".encode()
    answer = await ask(it.port, request)
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


async def test_pages_are_got_with_the_token_and_health_without(it: Faced) -> None:
    status, body = await get(it, "/stats")
    assert (status, json.loads(body)["channels"]["news"]["state"]) == (200, "ready")
    assert json.loads(body)["gateway"]["clients"] == 1
    assert (await get(it, "/stats", token=None))[0] == 401
    assert (await get(it, "/stats", token="wrong"))[0] == 401
    assert (await get(it, "/metrics"))[0] == 200
    assert (await get(it, "/healthz", token=None)) == (200, b"ok\n")
    assert (await get(it, "/readyz", token=None))[0] == 200
    it.server.link.end(upstream_closed(1006))
    assert (await get(it, "/readyz", token=None))[0] == 503


async def test_a_head_gets_no_body_and_other_methods_nothing(it: Faced) -> None:
    assert await get(it, "/stats", method="HEAD") == (200, b"")
    assert (await get(it, "/stats", method="DELETE"))[0] == 405
    answer = await ask(it.port, f"PUT /healthz HTTP/1.1\r\nHost: 127.0.0.1:{it.port}\r\n\r\n".encode())
    assert b"\r\nAllow: GET, HEAD\r\n" in answer
    assert (await get(it, "/nothing"))[0] == 404
    assert (await get(it, "/ws/news"))[0] == 426


async def test_foreign_hosts_and_origins_are_refused() -> None:
    async with faced(origins=("http://localhost:3000",)) as it:
        assert (await get(it, "/healthz", host="evil.example"))[0] == 421
        assert (await get(it, "/stats", more="Origin: http://evil.example\r\n"))[0] == 403
        assert (await get(it, "/stats", more="Origin: http://localhost:3000\r\n"))[0] == 200
        page = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{it.port}\r\nOrigin: http://localhost:3000\r\n\r\n".encode()
        assert b"\r\nAccess-Control-Allow-Origin: http://localhost:3000\r\nVary: Origin\r\n" in await ask(it.port, page)
        assert (await it.refused(origin="http://evil.example")).status_code == 403
        async with it.client(origin="http://localhost:3000"):
            pass


async def test_the_token_is_read_from_query_or_subprotocol(it: Faced) -> None:
    encoded = urlsafe_b64encode(TOKEN.encode()).decode().rstrip("=")
    async with connect(it.url(f"/ws/news?token={TOKEN}"), proxy=None):
        pass
    async with connect(it.url(), subprotocols=["wscli", f"wscli.token.{encoded}"], proxy=None) as client:
        assert client.subprotocol == "wscli"
    with pytest.raises(InvalidStatus) as refused:
        await connect(it.url(), proxy=None)
    assert refused.value.response.status_code == 401
    assert TOKEN not in str(refused.value.response.body)


async def test_clients_are_limited() -> None:
    async with faced(max_clients=2) as it:
        async with it.client(), it.client():
            assert (await it.refused()).status_code == 503
        await eventually(lambda: it.stats["clients"] == 0)
        async with it.client():
            pass


@pytest.mark.parametrize(
    "request_",
    [
        b"\0\0\0\0\r\n\r\n",
        b"GET / HTTP/2\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: [::1\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5_000 + b"\r\n",
        b"POST /ws/news HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
async def test_a_malformed_request_is_answered_and_closed(it: Faced, request_: bytes) -> None:
    answer = await ask(it.port, request_)
    assert not answer or answer.split()[1][:1] == b"4"
    await eventually(lambda: it.stats["clients"] == 0)


async def test_data_before_the_upgrade_is_answered_refuses_the_client(it: Faced) -> None:
    assert (await ask(it.port, it.upgrade() + b"\x81\x80\0\0\0\0")).startswith(b"HTTP/1.1 400")
    assert it.channel.readers == 0


async def test_a_port_in_use_is_a_problem_and_tried_again(it: Faced) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        gateway = Gateway(it.manager, Outbox(it.manager, None), schedule=it.it.time.schedule)
        one = Faced(it.it, gateway)
        one.listen(Listen(port=port))
        (problem,) = it.manager.problems.texts()
        assert "in use" in problem
        assert f"127.0.0.1:{port}" in problem
    await it.it.time.advance(6.0)
    assert it.manager.problems.texts() == []
    assert one.port == port
    await gateway.close()


async def test_a_unix_socket_is_of_mode_0600_and_removed_at_the_end(it: Faced, tmp_path: Path) -> None:
    path = tmp_path / "gateway.sock"
    it.listen(Listen(path=path))
    await eventually(path.exists)
    assert path.stat().st_mode & 0o777 == 0o600
    async with unix_connect(
        str(path), "ws://localhost/ws/news", additional_headers={"Authorization": f"Bearer {TOKEN}"}
    ) as client:
        it.server.link.say("hello")
        assert await client.recv() == "hello"
    await it.gateway.close()
    assert not path.exists()


async def test_a_reload_without_a_gateway_keeps_connected_clients(it: Faced, client: ClientConnection) -> None:
    it.listen()
    await it.it.time.settle()
    assert it.stats is None
    it.server.link.say("still here")
    assert await client.recv() == "still here"


async def test_the_feed_begins_with_a_snapshot_and_sends_every_change() -> None:
    async with faced() as it, it.client("/status") as page:
        first = json.loads(await page.recv())
        assert first["type"] == "snapshot"
        assert first["status"][0]["channel"] == "news"
        assert first["stats"]["channels"]["news"]["state"] == "ready"
        assert [change["state"] for change in first["changes"]][-1] == "ready"
        it.server.link.end(upstream_closed(1006))
        change = json.loads(await page.recv())
        assert (change["type"], change["status"]["state"]) == ("state", "waiting")
        assert json.loads(await page.recv())["type"] in {"state", "stats"}


async def test_closing_the_gateway_closes_every_client_with_1001(it: Faced) -> None:
    client, page = await it.client(), await it.client("/status")
    await it.gateway.close()
    assert (await closed(client))[0] == 1001
    assert (await closed(page))[0] == 1001


async def test_a_request_of_the_largest_size_is_taken_and_one_byte_more_is_not() -> None:
    async with faced(max_header=4096) as it:
        head = f"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:{it.port}\r\nA: ".encode()
        for size, status in ((4096, b"200"), (4097, b"431")):
            answer = await ask(it.port, head + b"x" * (size - len(head) - 4) + b"\r\n\r\n")
            assert answer.split()[1] == status


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("HEAD /ws/news HTTP/1.1", b"405"),
        ("POST /ws/news HTTP/1.1", b"405"),
        ("GET /ws/news HTTP/1.0", b"505"),
        ("GET http://127.0.0.1/ws/news HTTP/1.1", b"404"),
    ],
)
async def test_only_a_get_of_http_1_1_upgrades(it: Faced, line: str, status: bytes) -> None:
    assert (await ask(it.port, it.upgrade(line))).split()[1] == status
    assert it.channel.readers == 0


@pytest.mark.parametrize(
    "said", [b"", b"GET /ws/news HTTP/1.1\r\n", b"wrong token"], ids=["silent", "unfinished", "wrong token"]
)
async def test_strangers_keep_no_client_out_and_the_oldest_gives_way(said: bytes) -> None:
    async with faced(max_clients=1) as it:
        said = upgrade_request(it.port, "guessed") if said == b"wrong token" else said
        strangers = [await asyncio.open_connection("127.0.0.1", it.port) for _ in range(MOST_STRANGERS + 40)]
        for _, writer in strangers:
            writer.write(said)
        async with it.client():
            assert it.stats["clients"] == 1
            assert it.stats["strangers"] <= MOST_STRANGERS
            assert (await it.refused()).status_code == 503
        for _, writer in strangers:
            writer.close()
        await eventually(lambda: it.stats["clients"] + it.stats["strangers"] == 0)


async def test_a_stranger_is_hung_up_on_after_a_short_deadline(it: Faced, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wscli.gateway.handshake.REQUEST_DEADLINE", 0.05)
    assert await ask(it.port, b"GET /ws/news HTTP/1.1\r\n") == b""
    assert it.stats["strangers"] == 0


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ("GET /stats HTTP/1.1\r\n\r\n", "Missing mandatory Host: header"),
        ("GET /stats HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "Found multiple Host: headers"),
        ("GET /stats HTTP/9\r\n\r\n", "illegal request line"),
        (f"GET /stats HTTP/1.1\r\nHost: a\r\nAuthorization : Bearer {TOKEN}\r\n\r\n", "illegal header line"),
    ],
)
async def test_a_malformed_request_is_told_why_without_what_it_quotes(it: Faced, request_: str, why: str) -> None:
    answer = await ask(it.port, request_.encode())
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.endswith(f"\r\n\r\ninvalid HTTP request: {why}\n".encode())
