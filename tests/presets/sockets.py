"""Scripted servers on real sockets: HTTP and WebSockets on one port."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import yaml
from aiohttp import WSMsgType, web

from tests.presets.cases import Case
from tests.presets.servers.base import Dialled, ScriptedServer
from wscli.session.preset import preset_text

__all__ = ["Address", "served"]

_PUBLIC = (
    "https://slack.com", "wss://wss-primary.slack.com", "wss://gateway.discord.gg",
    "wss://gateway-us-east1-b.discord.gg", "https://api.twitch.tv", "wss://eventsub.wss.twitch.tv",
    "wss://cell-b.eventsub.wss.twitch.tv", "wss://api.deepgram.com",
)  # fmt: skip
"""Addresses that presets and servers name; each is a folder of ours."""
_PLAIN = {"https": "http", "wss": "ws"}


@dataclass
class Address:
    """Where a server listens."""

    port: int = 0
    links: list[Any] = field(default_factory=list)
    """The open connections."""

    def local(self, text: str) -> str:
        """Put our address in place of public ones."""
        for place, public in enumerate(_PUBLIC):
            text = text.replace(public, f"{_PLAIN[public.partition(':')[0]]}://127.0.0.1:{self.port}/{place}")
        return text

    def public(self, text: str) -> str:
        """Put public addresses back."""
        for place, public in enumerate(_PUBLIC):
            for scheme in ("http", "ws"):
                text = text.replace(f"{scheme}://127.0.0.1:{self.port}/{place}", public)
        return text

    def file(self, case: Case) -> str:
        """Write a case's file for this address."""
        own = case.url is not None or case.preset == "cdp"
        preset = {} if own else yaml.safe_load(self.local(preset_text(case.preset)))
        endpoint = {key: value for key, value in preset.items() if not key.startswith("x-")}
        if "url_hosts" in endpoint:
            endpoint["url_hosts"] = ["127.0.0.1"]
        file = json.loads(case.file())
        api = file["endpoints"]["api"]
        api.update(endpoint)
        if case.url is not None:
            api["url"] = f"ws://127.0.0.1:{self.port}/{case.url.partition('.com/')[2]}"
        if not own:
            del api["preset"]
        if case.preset == "cdp":
            file["channels"]["main"]["with"]["debugger"] = f"http://127.0.0.1:{self.port}"
        api["connect"] = {"rate": "100/s"}
        file["backoff"] = {"default": {"initial": "10ms", "max": "50ms"}}
        return json.dumps(file)


class _SocketLine:
    """An open connection, as the server has it."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.queue: asyncio.Queue[Callable[[web.WebSocketResponse], Any]] = asyncio.Queue()

    def send(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self.queue.put_nowait(lambda socket: socket.send_bytes(message))
        else:
            self.queue.put_nowait(lambda socket: socket.send_str(self.address.local(message)))

    def close(self, code: int, reason: str = "") -> None:
        self.queue.put_nowait(lambda socket: socket.close(code=code, message=reason.encode()))

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(seconds, call)

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def write(self, socket: web.WebSocketResponse) -> None:
        while True:
            await (await self.queue.get())(socket)


@asynccontextmanager
async def served(server: ScriptedServer) -> AsyncIterator[Address]:
    """Have a scripted server listen on a port of the loopback."""
    address = Address()

    async def on_request(request: web.Request) -> web.StreamResponse:
        url = address.public(f"http://{request.host}{request.path}")
        if request.headers.get("Upgrade", "").lower() != "websocket":
            whole = url + (f"?{request.query_string}" if request.query_string else "")
            status, value = server.http(request.method, whole, request.headers, await request.read())
            return web.Response(status=status, text=address.local(json.dumps(value)), content_type="application/json")
        offered = [one.strip() for one in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if one.strip()]
        socket = web.WebSocketResponse(protocols=offered[:1])
        await socket.prepare(request)
        line = _SocketLine(address)
        address.links.append(socket)
        writing = asyncio.create_task(line.write(socket))
        query = f"?{request.query_string}" if url.startswith(_PUBLIC) and request.query_string else ""
        target = (url if url.startswith(_PUBLIC) else url.replace("http://", "ws://", 1)) + query
        server.connected(line, Dialled(target, dict(request.query), dict(request.headers), offered))
        async for message in socket:
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                server.received(message.data)
        writing.cancel()
        address.links.remove(socket)
        server.disconnected(socket.close_code)
        return socket

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", on_request)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    try:
        yield address
    finally:
        await runner.cleanup()
