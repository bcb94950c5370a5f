"""Clients that read a channel over HTTP: counted, kept alive, and let go where they are gone or take nothing."""

from __future__ import annotations

import asyncio
import json
import select
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.daemon.scripted import channel_plan
from tests.gateway.faced import TOKEN
from tests.gateway.http.asking import Asked, asked
from tests.waiting import eventually
from wscli.config.models.upstream import Keepalive
from wscli.history.limits import HistoryLimits


@pytest_asyncio.fixture
async def it() -> AsyncIterator[Asked]:
    async with asked() as made:
        yield made


async def test_readers_count_as_clients_of_the_gateway() -> None:
    async with asked(max_clients=1) as it, it.stream():
        refused = await it.get()
        assert (refused.status_code, "max_clients" in refused.text) == (503, True)


async def test_a_client_that_hangs_up_is_forgotten(it: Asked) -> None:
    for query in ("follow=1", "wait=1h"):
        polling = asyncio.create_task(it.get(f"/channels/news?{query}"))
        await eventually(lambda: it.channel.readers == 1)
        polling.cancel()
        await eventually(lambda: it.channel.readers + it.stats["clients"] == 0)


def raw(it: Asked, path: str, version: str = "1.1") -> socket.socket:
    """A client that has sent its request, and reads only what it is told to."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", it.port))
    host = f"Host: 127.0.0.1:{it.port}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
    sock.sendall(f"GET {path} HTTP/{version}\r\n{host}".encode())
    return sock


@pytest.mark.parametrize("query", ["follow=1", "limit=1000000", "wait=1h"])
async def test_a_client_that_never_reads_is_let_go_and_disturbs_no_other(query: str) -> None:
    async with asked(
        channel_plan(history=HistoryLimits(keep=100_000, max_size=1 << 28)),
        keepalive=Keepalive(ping=0.05, timeout=0.1),
    ) as it:
        for _ in range(16):
            it.server.link.say("x" * (1 << 20))
        async with it.stream() as stream:
            with raw(it, f"/channels/news?after={it.epoch}:0&{query}") as sock:
                reset = select.poll()
                reset.register(sock, 0)
                await eventually(lambda: reset.poll(0))
                assert it.channel.readers == 1
            await eventually(lambda: it.stats["dropped"] == 1)
            it.server.link.say("a")
            assert (await stream.record())["data"] == "a"


async def test_a_quiet_stream_is_kept_alive_by_empty_lines() -> None:
    async with asked(keepalive=Keepalive(ping=0.05, timeout=60.0)) as it, it.stream() as stream:
        assert [await anext(stream.lines) for _ in range(3)] == ["", "", ""]
        it.server.link.say("a")
        assert (await stream.record())["data"] == "a"


async def test_a_client_of_http_1_0_gets_the_records_without_chunks(it: Asked) -> None:
    it.server.link.say("a")
    with raw(it, "/channels/news", "1.0") as sock:
        sock.shutdown(socket.SHUT_WR)
        reader, writer = await asyncio.open_connection(sock=sock)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
    assert b"chunked" not in head
    assert json.loads(body)["data"] == "a"
