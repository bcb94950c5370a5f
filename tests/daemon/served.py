"""A real control socket around a scripted manager: ``from tests.daemon.served import served``."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest_asyncio

from tests.daemon.framed import FarEnd
from tests.daemon.scripted import Scripted, ScriptedLink, changed, channel_plan, closed, scripted, status
from wscli.control.client import ManagerConnection
from wscli.control.paths import Instance, registration_path
from wscli.control.protocol import request_line
from wscli.core.states import ChannelState
from wscli.core.verdicts import parse_verdicts
from wscli.daemon.channel.channel import Channel
from wscli.daemon.outbox import Outbox
from wscli.daemon.socket.handlers import HANDLERS
from wscli.daemon.socket.server import App, Handler, Server
from wscli.gateway.server import Gateway
from wscli.tokens.models import TokenSource

__all__ = ["ENDS", "Served", "block", "bring", "fill", "link_of", "serve", "served"]

S = ChannelState
ENDS = (parse_verdicts({"4100": "done", "1002": "stop", "401": "stop"}),)


def link_of(channel: Channel) -> ScriptedLink:
    """The open connection."""
    assert isinstance(channel.connection, ScriptedLink)
    return channel.connection


def fill(channel: Channel, *messages: bytes | str, kinds: bytes | None = None) -> None:
    """Let messages arrive together."""
    link_of(channel).listener.on_batch([one.encode() if isinstance(one, str) else one for one in messages], kinds)


def block(payload: bytes, framing: str = "line") -> bytes:
    """Announce a block of messages, and give its bytes."""
    return json.dumps({"bytes": len(payload), "framing": framing}).encode() + b"\n" + payload


async def bring(it: Scripted, channel: Channel, state: ChannelState, *, refused: bool = False) -> None:
    """Bring a channel that is ready or waits to a state, or one that is connecting to ready, by server or by hand.

    ``refused`` says whether it fails for its credentials.
    """
    if state is S.READY:
        if it.server.hold is not None:
            it.server.hold.set_result(None)
            it.server.hold = None
    elif state is S.CONNECTING:
        it.server.hold = asyncio.get_running_loop().create_future()
        channel.restart()
    elif state is S.IDLE:
        plan = it.manager.plan
        lazy = {channel.name: changed(channel.plan, eager=False)}
        it.manager.apply(replace(plan, channels={**plan.channels, **lazy}))
        await it.time.advance(0)
    elif state in (S.STOPPED, S.PAUSED):
        channel.stop() if state is S.STOPPED else channel.pause()
    else:
        codes = {S.WAITING: 1006, S.FAILED: 1002, S.DONE: 4100}
        failure = status(401) if refused else closed(codes[state])
        if channel.state is S.WAITING:
            it.server.refusals.append(failure)
            await it.time.advance(1.0)
        else:
            link_of(channel).end(failure)
    await it.time.settle()
    assert channel.state is state


class Served:
    """The manager with its channels and its socket, and ways to reach it; blocking clients run in threads."""

    def __init__(self, it: Scripted, server: Server, directory: str, leaving: list[int]) -> None:
        self.it = it
        self.manager = it.manager
        self.server = server
        self._leaving = leaving
        self.instance = Instance("app", str(it.plan.file), os.getpid(), directory)
        self.notifications, self.calls = self.manager.channels()
        self.token = Path(directory, "token")
        """The file of the token ``session``."""
        self.token.write_text("s3cret")
        self.env = {"WSCLI_RUNTIME_DIR": directory}
        facts = {"file": self.instance.file, "pid": self.instance.pid}
        Path(registration_path(directory, "app")).write_text(json.dumps(facts))

    async def bring(self, channel: Channel, state: ChannelState, *, refused: bool = False) -> None:
        await bring(self.it, channel, state, refused=refused)

    def remove(self, channel: Channel) -> None:
        """Take a channel out of the configuration."""
        plan = self.manager.plan
        kept = {name: one for name, one in plan.channels.items() if name != channel.name}
        self.manager.apply(replace(plan, channels=kept))

    def end_process(self) -> None:
        """Close what a manager's process leaves to its end."""
        while self._leaving:
            os.close(self._leaving.pop())

    def dial(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(30)
        try:
            sock.connect(self.instance.socket)
        except OSError:
            sock.close()
            raise
        return sock

    async def ask(self, verb: str, args: Mapping[str, Any] | None = None, payload: bytes = b"") -> dict[str, Any]:
        """Ask as a command does; an error answer raises."""

        def blocking() -> dict[str, Any]:
            with ManagerConnection(self.instance, self.dial()) as client:
                return client.request(verb, args, payload=payload, timeout=30)

        return await asyncio.to_thread(blocking)

    async def exchange(self, data: bytes, *, hang_up: bool = False) -> list[dict[str, Any]]:
        """Send bytes, and give every line that is answered until the server hangs up."""
        reader, writer = await asyncio.open_unix_connection(self.instance.socket, limit=1 << 26)
        writer.write(data)
        if hang_up:
            writer.write_eof()
        lines = []
        async with asyncio.timeout(30):
            try:
                while line := await reader.readline():
                    lines.append(json.loads(line))
            except ConnectionResetError:
                pass  # the server hung up with some of what was sent unread
        writer.close()
        return lines

    @asynccontextmanager
    async def stream(self, verb: str, **args: Any) -> AsyncIterator[tuple[dict[str, Any], FarEnd]]:
        """Ask for a stream; give the answer and the frames' end of it."""
        loop = asyncio.get_running_loop()
        with self.dial() as sock:
            sock.setblocking(False)
            await loop.sock_sendall(sock, request_line(verb, args))
            line = bytearray()
            while not line.endswith(b"\n"):
                line += await loop.sock_recv(sock, 1)
            yield json.loads(line), FarEnd(sock)

    @asynccontextmanager
    async def tail(self, *channels: str, **args: Any) -> AsyncIterator[tuple[dict[str, Any], FarEnd]]:
        async with self.stream("tail", **{"channels": channels, "follow": True, **args}) as streamed:
            yield streamed


@asynccontextmanager
async def serve(
    handlers: Mapping[str, Handler] = HANDLERS, *, leaving: list[int] | None = None, **options: Any
) -> AsyncIterator[Served]:
    """Serve an instance of two eager channels, ``notifications`` and the uncritical ``calls``, both ready.

    ``leaving`` takes the descriptors that a manager's process leaves to its end.
    """
    plans = (
        channel_plan("notifications", verdicts=ENDS),
        channel_plan("calls", verdicts=ENDS, critical=False),
        channel_plan("rooms/{id}"),
    )
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(Path(directory, "app.sock")))
        listener.listen(64)
        listener.setblocking(False)
        session = TokenSource.model_validate({"file": f"{directory}/token", "expires_in": "5m"})
        async with scripted(*plans, tokens={"session": session}) as it:
            outbox = Outbox(it.manager, Path(directory, "outbox.db"))
            it.manager.observe(outbox)
            leaving = [] if leaving is None else leaving
            server = Server(App(it.manager, outbox, Gateway(it.manager, outbox), leaving), handlers, **options)
            server.listen(listener)
            try:
                yield (served := Served(it, server, directory, leaving))
            finally:
                served.end_process()
                await server.close()
                await outbox.settle()
                await it.manager.tasks.close()
                await outbox.close()


@pytest_asyncio.fixture
async def served() -> AsyncIterator[Served]:
    async with serve() as running:
        yield running
