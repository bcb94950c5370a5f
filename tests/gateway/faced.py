"""A gateway on real sockets, in front of a manager whose upstream is scripted."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from tests.daemon.scripted import RATE, Scripted, changed, channel_plan, scripted
from wscli.config.clients import ClientsPlan
from wscli.config.models.gateway import GatewayAuth, GatewayPlan, Listen
from wscli.config.plan import ChannelPlan
from wscli.core.failures import Failure, FailureKind
from wscli.core.verdicts import parse_verdicts
from wscli.daemon.channel.channel import Channel
from wscli.daemon.outbox import Outbox
from wscli.gateway.server import Gateway
from wscli.tokens.models import TokenSource
from wscli.values import Rate, Secret

TOKEN = "s3cret-token"
BAD = Failure(FailureKind.CLOSE, "x", code=1002, close_reason="bad", by="peer")
"""An end of the upstream that fails its channel."""
STOPS = parse_verdicts({1002: "stop"})


def upgrade_request(port: int, token: str, line: str = "GET /ws/news HTTP/1.1") -> bytes:
    """Give the bytes of a client that asks for an upgrade."""
    return (
        f"{line}\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {'A' * 22}==\r\nSec-WebSocket-Version: 13\r\nAuthorization: Bearer {token}\r\n\r\n"
    ).encode()


def own_plan(name: str = "news", **changes: Any) -> ChannelPlan:
    """A lazy channel each of whose clients has an upstream of its own."""
    return channel_plan(name, eager=False, clients=ClientsPlan(declared="own"), **changes)


class Faced:
    """The gateway, its manager, and how clients reach it."""

    def __init__(self, it: Scripted, gateway: Gateway) -> None:
        self.it, self.gateway = it, gateway
        self.server, self.manager = it.server, it.manager

    @property
    def channel(self) -> Channel:
        return self.manager.channel("news")

    @property
    def stats(self) -> Any:
        """The gateway's part of the statistics."""
        return self.gateway.stats()["gateway"]

    @property
    def port(self) -> int:
        (address,) = self.stats["listen"]
        return int(address.rpartition(":")[2])

    def listen(self, *listens: Listen) -> None:
        """Declare other addresses, or no gateway."""
        gateway = GatewayPlan(listen=listens, auth=GatewayAuth(token=Secret(TOKEN))) if listens else None
        self.manager.plan = replace(self.manager.plan, gateway=gateway)
        self.gateway.reloaded()

    def url(self, path: str = "/ws/news") -> str:
        return f"ws://127.0.0.1:{self.port}{path}"

    def client(self, path: str = "/ws/news", **more: Any) -> connect:
        """An unmodified client with the token."""
        headers = {"Authorization": f"Bearer {TOKEN}", **more.pop("headers", {})}
        return connect(self.url(path), additional_headers=headers, proxy=None, **more)

    async def refused(self, path: str = "/ws/news", **more: Any) -> Response:
        """The answer to a client that is not let in."""
        with pytest.raises(InvalidStatus) as refused:
            await self.client(path, **more)
        return refused.value.response

    def upgrade(self, line: str = "GET /ws/news HTTP/1.1") -> bytes:
        """An upgrade request with the token."""
        return upgrade_request(self.port, TOKEN, line)

    async def raw_client(self, path: str = "/ws/news") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A client that can misbehave: a connected socket after its upgrade."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(self.upgrade(f"GET {path} HTTP/1.1"))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101")
        return reader, writer


@asynccontextmanager
async def faced(
    *plans: ChannelPlan,
    outbox_file: Path | None = None,
    tokens: dict[str, TokenSource] | None = None,
    rate: Rate = RATE,
    **options: Any,
) -> AsyncIterator[Faced]:
    """Open a gateway at a free port; ``options`` are of its plan."""
    stops = [changed(one, verdicts=(*one.upstream.verdicts, STOPS)) for one in plans or (channel_plan(),)]
    async with scripted(*stops, tokens=tokens, rate=rate) as it:
        plan = GatewayPlan(listen=(Listen(),), auth=GatewayAuth(token=Secret(TOKEN)), **options)
        it.manager.plan = replace(it.manager.plan, gateway=plan)
        outbox = Outbox(it.manager, outbox_file)
        gateway = Gateway(it.manager, outbox)
        for observer in (outbox, gateway):
            it.manager.observe(observer)
        gateway.reloaded()
        try:
            yield Faced(it, gateway)
        finally:
            await gateway.close()
            await outbox.settle()
            await outbox.close()


async def closed(client: ClientConnection) -> tuple[int | None, str]:
    """Wait for the close frame."""
    await client.wait_closed()
    assert client.close_code is not None
    return client.close_code, client.close_reason or ""


def die(sock: socket.socket) -> None:
    """Have the kernel reset the connection at its end, as for a process that dies with data unread."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
