"""One WebSocket connection, as the server sees it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import struct
from collections.abc import Callable

from aiohttp import ClientConnectionResetError, WSMsgType, web

__all__ = ["DemoClient"]

_QUEUED = 10_000
"""Messages queued for a client at most; a client that falls further behind is dropped."""
_CLOSE_TIMEOUT = 1.0


class DemoClient:
    """A connected client. ``push`` never blocks, so that a slow client delays no other."""

    def __init__(self, path: str, socket: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        self.path = path
        self.socket = socket
        self._transport = transport
        self._queue: asyncio.Queue[str | bytes] = asyncio.Queue(_QUEUED)
        self._close_sent = False
        self.ended = asyncio.Event()

    @classmethod
    async def accept(cls, request: web.Request) -> DemoClient:
        """Answer the upgrade of a request.

        Raises:
            ConnectionResetError: the client hung up meanwhile.
        """
        socket = web.WebSocketResponse(autoclose=False)  # the answer to a close frame is ``_answer_close``
        await socket.prepare(request)
        if request.transport is None:
            raise ConnectionResetError
        return cls(request.path, socket, request.transport)

    def push(self, message: str | bytes) -> None:
        """Queue a message."""
        try:
            self._queue.put_nowait(message)
        except asyncio.QueueFull:
            self.abort()

    def push_json(self, **fields: object) -> None:
        """Queue an object as one line of JSON."""
        self.push(json.dumps(fields, ensure_ascii=False))

    async def serve(self, on_message: Callable[[str | bytes], None] = lambda message: None) -> None:
        """Read until the connection ends, and write what is pushed meanwhile."""
        writer = asyncio.create_task(self._write())
        try:
            async for message in self.socket:
                if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                    on_message(message.data)
            await self._answer_close()
        finally:
            writer.cancel()
            self.ended.set()

    async def _write(self) -> None:
        with contextlib.suppress(ClientConnectionResetError):  # ``serve`` ends too
            while not self._close_sent:
                await self.send(await self._queue.get())

    async def send(self, message: str | bytes) -> None:
        """Send a message at once, ahead of what is queued."""
        if isinstance(message, str):
            await self.socket.send_str(message)
        else:
            await self.socket.send_bytes(message)

    async def close(self, code: int, reason: str = "") -> None:
        """Send a close frame, wait a second at most for the answer, then drop the connection."""
        try:
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await self._send_close(code, reason)
                await self.ended.wait()
        except (TimeoutError, ClientConnectionResetError):
            self.abort()

    async def _answer_close(self) -> None:
        with contextlib.suppress(ClientConnectionResetError):
            await self._send_close(self.socket.close_code or 1000)
        self._transport.close()  # the server drops TCP first (RFC 6455, 7.1.1)

    async def _send_close(self, code: int, reason: str = "") -> None:
        # not the library's close(): it drops TCP before the client has answered while another task reads
        if not self._close_sent:
            self._close_sent = True
            await self.socket.send_frame(struct.pack("!H", code) + reason.encode(), WSMsgType.CLOSE)

    def abort(self) -> None:
        """Drop the connection without a close frame: the client sees 1006."""
        self._transport.abort()
