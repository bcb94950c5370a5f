"""A hub of aiosignalr at ``/hub``; orders over HTTP at ``/order``. ``python signalr_app.py PORT``."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from aiohttp import web
from aiosignalr.server import Hub, ServerOptions, SignalRServer
from aiosignalr.server import aiohttp_server as hosting

tokens: list[str] = []


async def _send_text(self: Any, data: bytes) -> None:
    await self._ws.send_str(data.decode())


hosting._AiohttpSocket.send_bytes = _send_text  # as ASP.NET Core sends JSON; aiosignalr sends it as binary messages


class Rooms(Hub):
    async def join(self, room: str) -> str:
        if room == "secret":
            raise PermissionError(room)
        await self.groups.add(room)
        return room

    async def leave(self, room: str) -> None:
        await self.groups.remove(room)

    async def echo(self, value: Any) -> dict[str, Any]:
        return {"echo": value}


server = SignalRServer(Rooms, options=ServerOptions(keep_alive_interval=0.5, client_timeout_interval=30.0))


async def order(request: web.Request) -> web.Response:
    asked = await request.json()
    if "publish" in asked:
        one = asked["publish"]
        await server.lifetime.send_group(one["room"], "message", (one,))
    if "tokens" in asked:
        tokens[:] = asked["tokens"]
    return web.json_response({})


@web.middleware
async def authorized(request: web.Request, handler: Any) -> Any:
    if request.path == "/hub" and tokens and request.query.get("access_token") not in tokens:
        raise web.HTTPUnauthorized
    return await handler(request)


async def serve(port: int) -> None:
    application = server.create_application(path="/hub")
    application.middlewares.append(authorized)
    application.router.add_post("/order", order)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    sys.stdout.write(f"port {runner.addresses[0][1]}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


asyncio.run(serve(int(sys.argv[1])))
