"""The mock server: ``async with MockServer(recording, replay, options, tell=print) as server``."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Self
from weakref import WeakSet

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from wscli.errors import WscliError
from wscli.mock.recording import Recording
from wscli.mock.records import RecordedMessage
from wscli.mock.replay import Replay
from wscli.mock.requests import channel_path, is_own_page, requested_channel
from wscli.sockets import listen_at_address

__all__ = ["MockOptions", "MockServer"]

CLOSE_DEADLINE = 1.0
"""Seconds for a client to read what was sent to it and to answer a close frame."""
_LARGEST = 64 << 20
"""Bytes of a message from a client at most."""
_SHOWN = 400

_silent = logging.Logger("wscli.mock")
"""Discards the log of the library, which does not help a user of a replay."""
_silent.disabled = True


@dataclass(frozen=True, slots=True)
class MockOptions:
    """How a mock server serves."""

    host: str = "127.0.0.1"
    port: int = 0
    """0 takes a free one."""
    close: bool = False
    """Whether a client is closed, with 1000, after the last message."""
    origins: tuple[str, ...] = ()
    """Origins of pages that may connect, besides those of this machine."""
    verbose: bool = False
    """Whether to report each client, what it sends, and its end."""


class MockServer:
    """Replays a recording to each client, from the beginning.

    Args:
        recording: a checked one.
        replay: plays it.
        options: how it serves.
        tell: is called with each line of the report.
    """

    def __init__(
        self, recording: Recording, replay: Replay, options: MockOptions, *, tell: Callable[[str], None]
    ) -> None:
        self._recording = recording
        self._replay = replay
        self._options = options
        self._tell = tell
        self._numbers = itertools.count(1)
        self._places: defaultdict[str, deque[int]] = defaultdict(deque)
        """The places where the next clients of a channel start: after the outages that ended replays."""
        self._connections: WeakSet[ServerConnection] = WeakSet()
        self._server: Server | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        if self._server is None:
            await self.start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen.

        Raises:
            OSError: the address cannot be listened at.
        """
        sock = listen_at_address(self._options.host, self._options.port)
        self.port = sock.getsockname()[1]
        self._server = await serve(
            self._serve,
            sock=sock,
            process_request=self._admit,
            # a browser fails a connection that selects none of its offers
            select_subprotocol=lambda _, offered: offered[0] if offered else None,
            compression=None,  # usually on loopback
            ping_interval=None,  # a consumer in a debugger does not answer one
            close_timeout=CLOSE_DEADLINE,
            max_size=_LARGEST,
            logger=_silent,
            create_connection=self._made,  # type: ignore[arg-type]  # documented as "a wrapper or a subclass"
        )

    async def stop(self) -> None:
        """Close every client with 1001, and the port."""
        if self._server is None:
            return
        self._server.close()
        try:
            async with asyncio.timeout(CLOSE_DEADLINE):
                await self._server.wait_closed()
        except TimeoutError:  # a client that reads nothing does not read the close frame either
            for connection in self._connections:
                connection.transport.abort()
            await self._server.wait_closed()

    @property
    def urls(self) -> dict[str, str]:
        """The URL of each channel."""
        host = f"[{self._options.host}]" if ":" in self._options.host else self._options.host
        return {name: f"ws://{host}:{self.port}{channel_path(name)}" for name in self._recording.channels}

    def _made(self, *args: Any, **kwargs: Any) -> ServerConnection:
        connection = ServerConnection(*args, **kwargs)
        self._connections.add(connection)
        return connection

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        for origin in request.headers.get_all("Origin"):
            if not is_own_page(origin) and origin.lower() not in self._options.origins:
                hint = f"--origin {origin} lets its pages connect"
                return self._refuse(connection, HTTPStatus.FORBIDDEN, f"{origin!r} may not connect", hint)
        if requested_channel(request.path, self._recording.channels) is None:
            path = request.path.partition("?")[0]
            there = "\n".join(map(channel_path, self._recording.channels))
            return self._refuse(connection, HTTPStatus.NOT_FOUND, f"there is nothing at {path!r}", f"there is\n{there}")
        return None

    def _refuse(self, connection: ServerConnection, status: HTTPStatus, what: str, hint: str) -> Response:
        self._detail(f"a client was refused: {what}")
        return connection.respond(status, f"{what}\nhint: {hint}\n")

    def _detail(self, text: str) -> None:
        if self._options.verbose:
            self._tell(text)

    async def _serve(self, connection: ServerConnection) -> None:
        channel = requested_channel(connection.request.path, self._recording.channels) if connection.request else None
        if channel is None:
            return
        client = f"{channel}: client {next(self._numbers)}"
        self._detail(f"{client} came")
        replaying = asyncio.create_task(self._play(channel, connection))
        try:
            async for message in connection:
                self._detail(f"{client} sent {_shown(message)}")
        except ConnectionClosed:
            pass
        finally:
            replaying.cancel()
            await asyncio.wait({replaying})
            self._detail(f"{client} went, with {connection.close_code}")

    async def _play(self, channel: str, connection: ServerConnection) -> None:
        async def send(message: RecordedMessage) -> None:
            await connection.send(message.payload, text=not message.binary)

        waiting = self._places[channel]
        try:
            place = await self._replay.run(channel, send, waiting.popleft() if waiting else 0)
            if place is not None:
                waiting.append(place)
                connection.transport.close()  # after what was sent, and without a close frame
            elif self._options.close:
                await connection.close()
        except ConnectionClosed:
            pass
        except WscliError as error:
            self._tell(str(error))
            await connection.close(1011, "the recording was changed")


def _shown(message: str | bytes) -> str:
    if isinstance(message, bytes):
        return f"a binary message of {len(message)} bytes"
    return message if len(message) <= _SHOWN else f"{message[:_SHOWN]}... ({len(message)} characters)"
