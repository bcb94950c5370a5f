"""A gateway on real sockets, in front of a manager whose upstream is scripted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from tests.daemon.scripted import Scripted, scripted
from wscli.config.models.gateway import GatewayAuth, GatewayPlan, Listen
from wscli.config.plan import ChannelPlan
from wscli.gateway.server import Gateway
from wscli.values import Secret

TOKEN = "s3cret-token"


class Faced:
    """The gateway, its manager, and how clients reach it."""

    def __init__(self, it: Scripted, gateway: Gateway) -> None:
        self.it, self.gateway = it, gateway

    @property
    def server(self):
        """The scripted upstream."""
        return self.it.server

    @property
    def manager(self):
        return self.it.manager

    @property
    def port(self) -> int:
        (place,) = self.gateway.stats()["listen"]
        return int(place.rpartition(":")[2])

    def url(self, path: str = "/ws/news") -> str:
        return f"ws://127.0.0.1:{self.port}{path}"

    def client(self, path: str = "/ws/news", **more: Any) -> connect:
        """An unmodified client with the token."""
        headers = {"Authorization": f"Bearer {TOKEN}", **more.pop("headers", {})}
        return connect(self.url(path), additional_headers=headers, proxy=None, **more)


@asynccontextmanager
async def faced(*plans: ChannelPlan, **options: Any) -> AsyncIterator[Faced]:
    """Open a gateway at a free port."""
    async with scripted(*plans) as it:
        plan = GatewayPlan(listen=(Listen(),), auth=GatewayAuth(token=Secret(TOKEN)), **options)
        it.manager.plan = replace(it.manager.plan, gateway=plan)
        gateway = Gateway(it.manager)
        gateway.apply()
        try:
            yield Faced(it, gateway)
        finally:
            await gateway.close()


async def closed(client: ClientConnection) -> tuple[int | None, str]:
    """Wait for the close frame."""
    await client.wait_closed()
    assert client.close_code is not None
    return client.close_code, client.close_reason or ""
