"""Sessions on real sockets: log-in, subscriptions, tickets and tokens, through refusals and the server's death."""

from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

from aiohttp import web
from websockets.asyncio.server import ServerConnection

from tests.daemon.upstream.session.live import heard, live_plan, managed, messages, say, serving, until
from tests.waiting import eventually
from wscli.tokens.models import TokenSource

GQL = """
hello: [{send: {type: connection_init}, expect: {type: connection_ack}}]
subscribe: [{send: {id: "{ref.uuid}", type: subscribe, payload: {query: "{with.query}"}}}]
unsubscribe: [{send: {id: "{sub.ref}", type: complete}}]
route: {id: "{sub.ref}", type: next}
show: .payload
outgoing: none
rules:
  - {match: {type: ping}, send: {type: pong}, drop: true}
  - {match: {type: error, id: "{sub.ref}"}, then: stop}
  - {match: {type: complete, id: "{sub.ref}"}, then: done, drop: true}
"""


class GraphQL:
    """A server of graphql-transport-ws, which closes with its codes where a client breaks the protocol."""

    def __init__(self) -> None:
        self.held: asyncio.Event | None = None
        """While it is there, ``connection_init`` is not acknowledged."""
        self.subscribed: dict[str, tuple[ServerConnection, str]] = {}
        self.inits = 0

    async def speak(self, connection: ServerConnection) -> None:
        first = await heard(connection)
        if first["type"] != "connection_init":
            await connection.close(4401)
            return
        self.inits += 1
        if self.held is not None:
            await self.held.wait()
        await say(connection, {"type": "connection_ack"})
        try:
            async for text in connection:
                message = json.loads(text)
                if message["type"] == "subscribe" and message["id"] in self.subscribed:
                    await connection.close(4409)
                elif message["type"] == "subscribe" and message["payload"]["query"] == "bad":
                    await say(connection, {"id": message["id"], "type": "error", "payload": [{"message": "bad"}]})
                elif message["type"] == "subscribe":
                    self.subscribed[message["id"]] = connection, message["payload"]["query"]
                elif message["type"] == "complete":
                    del self.subscribed[message["id"]]
        finally:
            for id_ in [id_ for id_, (one, _) in self.subscribed.items() if one is connection]:
                del self.subscribed[id_]

    async def publish(self, query: str, payload: Any) -> None:
        await eventually(lambda: any(one == query for _, one in self.subscribed.values()))
        for id_, (connection, of) in list(self.subscribed.items()):
            if of == query:
                await say(connection, {"id": id_, "type": "next", "payload": payload})


async def test_channels_share_a_graphql_connection_and_are_subscribed_again_after_its_servers_death() -> None:
    spoken = GraphQL()
    spoken.held = asyncio.Event()
    async with serving(spoken.speak) as server:
        plans = [live_plan(name, server.url, GQL, values={"query": name}, share=True) for name in ("a", "b", "bad")]
        async with managed(*plans) as manager:
            a, b, bad = (manager.channel(name) for name in ("a", "b", "bad"))
            await eventually(lambda: spoken.inits == 1)
            assert {a.state, b.state} == {"handshaking"}, "ready was said before the protocol says so"
            spoken.held.set()
            await until(a, "ready")
            await until(b, "ready")
            await until(bad, "failed")
            await spoken.publish("a", {"n": 1})
            await spoken.publish("b", {"n": 2})
            await eventually(lambda: messages(a) == [{"n": 1}] and messages(b) == [{"n": 2}])
            assert server.dials == 1

            await server.kill()
            await until(a, "waiting")
            await server.start()
            await until(a, "ready")
            await until(b, "ready")
            await spoken.publish("a", {"n": 3})
            await eventually(lambda: messages(a) == [{"n": 1}, ("outage", None), {"n": 3}])
            assert messages(b) == [{"n": 2}, ("outage", None)]
            assert bad.state == "failed", "one channel's verdict stays its own"


async def test_a_ticket_is_fetched_before_each_dial_and_leads_to_its_url_alone(tmp_path: Path) -> None:
    tickets, used, paths = itertools.count(1), list[str](), list[str]()
    valid: set[str] = set()

    async def speak(connection: ServerConnection) -> None:
        assert connection.request is not None
        ticket = connection.request.path.partition("ticket=")[2]
        paths.append(connection.request.path)
        if ticket not in valid:
            await connection.close(4401)
            return
        valid.remove(ticket)
        used.append(ticket)
        await say(connection, {"type": "hello"}, {"type": "event", "n": len(used)})
        await connection.wait_closed()

    async with serving(speak) as server:
        host = "127.0.0.1"

        async def give(request: web.Request) -> web.Response:
            if request.headers.get("Authorization") != "Bearer s3cret-api":
                return web.json_response({"ok": False}, status=401)
            ticket = f"secret-ticket-{next(tickets)}"
            valid.add(ticket)
            return web.json_response({"ok": True, "url": f"ws://{host}:{server.port}/ws?ticket={ticket}"})

        app = web.Application()
        app.router.add_post("/open", give)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        tmp_path.joinpath("token").write_text("s3cret-api")
        text = f"""
before:
  - http: {{post: "http://127.0.0.1:{port}/open", headers: {{Authorization: "Bearer {{token.api}}"}}}}
    expect: [{{match: {{ok: true}}, set: {{url: .url}}}}]
hello: [{{expect: {{type: hello}}}}]
"""
        source = TokenSource.model_validate({"file": str(tmp_path / "token")})
        async with managed(live_plan("news", "{var.url}", text), tokens={"api": source}) as manager:
            channel = manager.channel("news")
            await until(channel, "ready")
            await eventually(lambda: messages(channel) == [{"type": "event", "n": 1}])
            for number in (2, 3):
                server.connections[0].transport.abort()
                await eventually(lambda number=number: used == [f"secret-ticket-{one + 1}" for one in range(number)])
                await until(channel, "ready")
            host = "localhost"
            server.connections[0].transport.abort()
            refused = "the filled url leads to 'localhost', which 'url_hosts' does not allow"
            await eventually(lambda: channel.status()["reason"]["text"] == refused)
            assert channel.state == "waiting"
            assert channel.subscription.last_attempt is not None
            assert "secret-ticket" not in str(channel.subscription.last_attempt.shown_session("news"))
        await runner.cleanup()


async def test_a_command_that_hangs_is_ended_and_said_in_status() -> None:
    async def speak(connection: ServerConnection) -> None:
        raise AssertionError("nothing is dialled")

    text = "before: [{run: [sleep, '97'], within: 0.1s}]"
    async with serving(speak) as server, managed(live_plan("news", server.url, text)) as manager:
        channel = manager.channel("news")
        await until(channel, "waiting")
        status = channel.status()
        assert status["reason"]["code"] == "session:before"
        assert "within 100ms" in status["reason"]["text"]
        assert server.dials == 0


async def test_a_refused_token_is_fetched_anew_once(tmp_path: Path) -> None:
    seen: list[str] = []

    async def speak(connection: ServerConnection) -> None:
        await say(connection, {"type": "auth_required"})
        token = (await heard(connection))["access_token"]
        seen.append(token)
        await say(connection, {"type": "auth_ok" if token == "token-2" else "auth_invalid", "message": f"bad {token}"})
        await connection.wait_closed()

    text = """
hello:
  - expect: {type: auth_required}
  - send: {type: auth, access_token: "{token.ha}"}
    expect: [{match: {type: auth_ok}}, {match: {type: auth_invalid}, then: reauth}]
"""
    count = tmp_path / "count"
    count.write_text("0")
    script = f"n=$(($(cat {count}) + 1)); echo $n > {count}; echo token-$n"
    source = TokenSource.model_validate({"command": ["sh", "-c", script]})
    async with serving(speak) as server, managed(live_plan("news", server.url, text), tokens={"ha": source}) as manager:
        await until(manager.channel("news"), "ready")
        assert seen == ["token-1", "token-2"]
        assert manager.broker.stats()["ha"]["fetches"] == 2
        assert "token-1" not in json.dumps(manager.stats())
