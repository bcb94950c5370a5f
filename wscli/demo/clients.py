"""One live WebSocket connection, and the set of them: reading, writing, silence, closing, aborting."""

from __future__ import annotations

import asyncio
import json
import struct
from collections import deque
from collections.abc import Callable, Iterator

from aiohttp import ClientConnectionResetError, WSMsgType, web

from wscli.demo.counters import Counters
from wscli.demo.faults import matches

__all__ = ["Client", "Clients"]

_OUTBOX = 10_000
"""Messages that wait for a client at most; one that falls further behind is dropped, as a real server would."""
_CLOSE_DEADLINE = 1.0


class Client:
    """One connection. ``push`` never blocks; a client whose outbox is full is aborted."""

    def __init__(self, path: str, socket: web.WebSocketResponse, transport: asyncio.Transport, count: Counters) -> None:
        self.path = path
        self._socket = socket
        self._transport = transport
        self._count = count
        self._outbox: deque[str | bytes] = deque()
        self._filled = asyncio.Event()
        self._speaking = asyncio.Event()
        self._speaking.set()
        self._closing = False
        self._ended = asyncio.Event()

    def push(self, message: str | bytes) -> None:
        """Queue a message; a silent server says nothing, now or later."""
        if self._closing or not self._speaking.is_set():
            return
        if len(self._outbox) >= _OUTBOX:
            self.abort()
            return
        self._outbox.append(message)
        self._filled.set()

    def push_json(self, **fields: object) -> None:
        """Queue an object as one line of JSON."""
        self.push(json.dumps(fields, ensure_ascii=False))

    async def serve(self, on_message: Callable[[str | bytes], None]) -> None:
        """Read until the connection ends, and write what is pushed meanwhile."""
        writer = asyncio.create_task(self._write())
        try:
            await self._read(on_message)
        finally:
            self._closing = True
            writer.cancel()
            try:
                await asyncio.gather(writer, return_exceptions=True)
            finally:
                self._ended.set()

    async def _read(self, on_message: Callable[[str | bytes], None]) -> None:
        while True:
            message = await self._socket.receive()
            if message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
                if self._speaking.is_set():
                    self._count.received(self.path, message.data)
                    on_message(message.data)
            elif message.type is WSMsgType.PING:
                if self._speaking.is_set():
                    await self._socket.pong(message.data)
            elif message.type is WSMsgType.CLOSE:
                await self._speaking.wait()  # unanswered while silent; the end of the TCP connection cancels this
                if not self._closing:
                    await self._send_close(message.data or 1000, "")
                self._transport.close()  # the server drops TCP first (RFC 6455, 7.1.1)
                return
            elif message.type is not WSMsgType.PONG:
                return

    async def _write(self) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._outbox and not self._closing:
                try:
                    await self._send(self._outbox.popleft())
                except ClientConnectionResetError:
                    return  # the reader learns of it too, and ends the connection
                self._count.sent(self.path)

    async def _send(self, message: str | bytes) -> None:
        if isinstance(message, str):
            await self._socket.send_str(message)
        else:
            await self._socket.send_bytes(message)

    async def blast(self, count: int, size: int) -> int:
        """Send numbered JSON messages of ``size`` bytes as fast as the client takes them; return how many."""
        for number in range(1, count + 1):
            if self._closing:
                return number - 1
            head = f'{{"n":{number},"pad":"'
            try:
                await self._send(head + "x" * (size - len(head) - 2) + '"}')
            except ClientConnectionResetError:
                return number - 1
            if number % 256 == 0:
                self._count.sent(self.path, 256)
                await asyncio.sleep(0)
        self._count.sent(self.path, count % 256)
        return count

    def mute(self, *, deaf: bool) -> None:
        """Say nothing more, pongs included, with the TCP connection open; ``deaf`` also stops reading from it."""
        self._speaking.clear()
        self._outbox.clear()
        if deaf:
            self._transport.pause_reading()

    def unmute(self) -> None:
        """End the silence."""
        self._speaking.set()
        self._transport.resume_reading()

    async def close(self, code: int, reason: str) -> None:
        """Send a close frame, wait a second at most for the answer, then drop the connection."""
        self.unmute()
        self._outbox.clear()
        if self._closing:
            return
        try:
            async with asyncio.timeout(_CLOSE_DEADLINE):
                await self._send_close(code, reason)
                await self._ended.wait()
        except (TimeoutError, ClientConnectionResetError):
            self.abort()

    async def _send_close(self, code: int, reason: str) -> None:
        self._closing = True
        # not the library's close(): that drops TCP at once while another task reads, before the peer has answered
        await self._socket.send_frame(struct.pack("!H", code) + reason.encode(), WSMsgType.CLOSE)

    def abort(self) -> None:
        """Drop the TCP connection without a word: the peer sees 1006."""
        self._transport.abort()

    async def ended(self) -> None:
        """Return once the connection is over and no longer counted."""
        await self._ended.wait()


class Clients:
    """Every live connection."""

    def __init__(self) -> None:
        self._clients: set[Client] = set()

    def add(self, client: Client) -> None:
        """Take one in."""
        self._clients.add(client)

    def discard(self, client: Client) -> None:
        """Let one go."""
        self._clients.discard(client)

    def at(self, pattern: str | None = None) -> list[Client]:
        """Give those whose path is meant; None gives all."""
        return [client for client in self._clients if matches(client.path, pattern)]

    def __iter__(self) -> Iterator[Client]:
        return iter(self.at())

    def push(self, pattern: str | None, message: str | bytes) -> int:
        """Queue a message for everyone whose path is meant, and say how many that are."""
        found = self.at(pattern)
        for client in found:
            client.push(message)
        return len(found)
