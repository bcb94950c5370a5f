"""``attach``: the socket goes on as a WebSocket that shares the channel."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.daemon.served import Served, fill, link_of
from tests.waiting import eventually
from wscli.control.client import ManagerConnection
from wscli.errors import UnknownChannel, WscliError


@asynccontextmanager
async def attached(served: Served, **args: str) -> AsyncIterator[ClientConnection]:
    def ask() -> socket.socket:
        client = ManagerConnection(served.instance, served.dial())
        assert client.request("attach", args, timeout=30) == {"channel": "notifications"}
        sock, rest = client.take_over()
        assert rest == b""
        return sock

    sock = await asyncio.to_thread(ask)
    async with connect("ws://anywhere/any?last=nonsense", sock=sock, proxy=None) as websocket:
        yield websocket


@pytest.mark.parametrize("args", [{"channel": "notifications"}, {"url": "ws://192.0.2.1/ws/notifications"}])
async def test_messages_come_and_go_as_on_a_websocket(served: Served, args: dict[str, str]) -> None:
    channel = served.notifications
    fill(channel, "before")
    async with attached(served, **args) as websocket:
        await eventually(lambda: channel.in_use and channel.readers == 1)
        fill(channel, "text", b"\0binary", kinds=b"tb")
        assert [await websocket.recv(), await websocket.recv()] == ["text", b"\0binary"]
        await websocket.send("up")
        await websocket.send(b"\1")
        await eventually(lambda: link_of(channel).sent == [(b"up", False), (b"\1", True)])
    await eventually(lambda: not (channel.in_use or channel.readers or served.server.clients))


async def test_a_url_that_no_channel_has_is_6_and_is_not_repeated(served: Served) -> None:
    with pytest.raises(UnknownChannel, match="no channel of instance 'app' has this URL") as caught:
        await served.ask("attach", {"url": "ws://192.0.2.1/ws/elsewhere?token=s3cret"})
    assert "s3cret" not in f"{caught.value} {caught.value.hint}"


async def test_a_name_that_no_channel_has_is_6(served: Served) -> None:
    with pytest.raises(UnknownChannel, match="no channel 'nowhere'"):
        await served.ask("attach", {"channel": "nowhere"})


@pytest.mark.parametrize("args", [{}, {"channel": "a", "url": "ws://a"}, {"channel": 1}, {"url": None}, {"name": "a"}])
async def test_anything_else_is_refused(served: Served, args: dict[str, Any]) -> None:
    with pytest.raises(WscliError, match=r"takes a channel or a URL|must be text|unknown argument 'name'"):
        await served.ask("attach", args)
