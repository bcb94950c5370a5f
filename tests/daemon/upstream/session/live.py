"""A manager in this process, on real sockets, and servers that can be killed and started again."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.server import Server as WebSocketServer
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.daemon.scripted import channel_plan
from tests.session.declared import session
from tests.waiting import eventually
from wscli.clock import SystemClock
from wscli.config.plan import ChannelPlan, Plan
from wscli.core.backoff import BackoffPolicy
from wscli.daemon.channel.channel import Channel
from wscli.daemon.registry.manager import Manager
from wscli.history.records import Batch
from wscli.process.run import make_manager
from wscli.templates import compile_json, compile_template
from wscli.tokens.models import TokenSource
from wscli.transport.open import open_connection
from wscli.values import Rate, Secret

BACKOFF = BackoffPolicy(initial=0.02, max=0.05, jitter="none", reset_after=60.0)


def live_plan(
    name: str, url: str, text: str, *, values: Mapping[str, Any] | None = None, **changes: Any
) -> ChannelPlan:
    """A channel whose endpoint has this session; a ``url`` with braces is a template."""
    dial: dict[str, Any] = {"url": Secret(url), "shown_url": url, "path": None}
    if "{" in url:
        dial |= {"url_template": compile_template(url, ("var", "with")), "url_hosts": ("127.0.0.1",)}
    given = {"backoff": BACKOFF, "values": compile_json(values or {}, ()), **dial, **changes}
    return channel_plan(name, session=session(text), **given)


@asynccontextmanager
async def managed(
    *plans: ChannelPlan, tokens: Mapping[str, TokenSource] | None = None, state: Path | None = None
) -> AsyncIterator[Manager]:
    """Run a manager, and check that it ends with nothing left."""
    named = {plan.name: plan for plan in plans}
    file = Path(state or Path(__file__).parent, "app.yaml")
    manager = make_manager(
        Plan("app", file, {"api": Rate(10_000, 1.0)}, channels=named, tokens=dict(tokens or {})),
        clock=SystemClock(),
        chance=random.Random(1),
        open_connection=open_connection,
        reachable=lambda address: True,
        environ={"PATH": "/usr/bin:/bin", **({} if state is None else {"XDG_STATE_HOME": str(state)})},
    )
    manager.open()
    try:
        yield manager
    finally:
        await manager.close()
        assert len(manager.tasks) == 0, "a task outlived its manager"


async def until(channel: Channel, state: str) -> None:
    """Wait for a state of a channel."""
    await eventually(lambda: channel.state == state)


def messages(channel: Channel) -> list[Any]:
    """Give what a history in memory holds: messages as JSON, gaps as (reason, missed)."""
    found: list[Any] = []
    cursor = channel.history.seek_start().cursor
    while (read := channel.history.read(cursor)) is not None:
        item, cursor = read
        if isinstance(item, Batch):
            found += [json.loads(payload) for payload in item.payloads]
        else:
            found.append((item.reason, item.missed))
    return found


class LiveServer:
    """A WebSocket server that speaks as ``speak`` says, and may be killed and started again on its port."""

    def __init__(self, speak: Callable[[ServerConnection], Any]) -> None:
        self.port = 0
        self.connections: list[ServerConnection] = []
        self.dials = 0
        self._speak = speak
        self._server: WebSocketServer | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    async def start(self) -> None:
        self._server = await serve(self._handle, "127.0.0.1", self.port, ping_interval=None, compression=None)
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def _handle(self, connection: ServerConnection) -> None:
        self.dials += 1
        self.connections.append(connection)
        try:
            await self._speak(connection)
        except ConnectionClosed:
            pass
        finally:
            self.connections.remove(connection)

    async def kill(self) -> None:
        """End as a process that is killed: no close frames."""
        assert self._server is not None
        for connection in list(self.connections):
            connection.transport.abort()
        self._server.close()
        await self._server.wait_closed()


@asynccontextmanager
async def serving(speak: Callable[[ServerConnection], Any]) -> AsyncIterator[LiveServer]:
    """Run a server."""
    server = LiveServer(speak)
    await server.start()
    try:
        yield server
    finally:
        await server.kill()


async def heard(connection: ServerConnection) -> Any:
    """Receive one message as JSON."""
    async with asyncio.timeout(60):
        return json.loads(await connection.recv())


async def say(connection: ServerConnection, *values: Any) -> None:
    """Send messages as JSON."""
    for value in values:
        await connection.send(json.dumps(value))
