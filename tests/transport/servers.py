"""Scripted servers: each test writes, byte by byte where it must, what the other end does.

``serve(script)`` listens on loopback and runs the script for every connection; a script that fails, fails the test.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_key(key: str) -> str:
    """The answer to a Sec-WebSocket-Key (RFC 6455, section 4.2.2)."""
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest()).decode()


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bytes | None = None) -> bytes:
    """One frame as a server sends it; ``mask`` makes it one that no server may send."""
    head = bytes([fin << 7 | rsv << 4 | opcode])
    masked = 0x80 if mask else 0
    if len(payload) < 126:
        head += bytes([masked | len(payload)])
    elif len(payload) < 65536:
        head += struct.pack("!BH", masked | 126, len(payload))
    else:
        head += struct.pack("!BQ", masked | 127, len(payload))
    if mask:
        payload = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
    return head + (mask or b"") + payload


def close_payload(code: int, reason: bytes = b"") -> bytes:
    return struct.pack("!H", code) + reason


class Frame(NamedTuple):
    """A frame that the client sent, unmasked."""

    opcode: int
    payload: bytes
    fin: bool
    rsv: int


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.request_line = ""
        self.headers: dict[str, str] = {}

    async def read_request(self) -> None:
        """Read the request, up to the empty line."""
        block = await self.reader.readuntil(b"\r\n\r\n")
        self.request_line, *lines = block.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        self.headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def answer(self, *extra: str, connection: str = "Upgrade") -> bytes:
        """The answer of 101 to the request that was read."""
        key = accept_key(self.headers["sec-websocket-key"])
        lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", f"Connection: {connection}"]
        return "\r\n".join([*lines, f"Sec-WebSocket-Accept: {key}", *extra, "", ""]).encode("latin-1")

    async def upgrade(self, *extra: str, then: bytes = b"") -> None:
        """Read the request and accept it; ``then`` follows in the same packet."""
        await self.read_request()
        await self.send(self.answer(*extra) + then)

    async def refuse(self, status: str, *headers: str, body: bytes = b"") -> None:
        """Read the request and answer it with another status."""
        await self.read_request()
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
        await self.send("\r\n".join(lines).encode("latin-1") + body)

    async def read_frame(self) -> Frame:
        """Read one frame; a client's must be masked (RFC 6455, section 5.1)."""
        first, second = await self.reader.readexactly(2)
        assert second & 0x80, "the client sent an unmasked frame"
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
        mask = await self.reader.readexactly(4)
        data = await self.reader.readexactly(length)
        key = int.from_bytes((mask * (length // 4 + 1))[:length], "big")
        payload = (int.from_bytes(data, "big") ^ key).to_bytes(length, "big")
        return Frame(first & 0x0F, payload, bool(first & 0x80), first >> 4 & 7)

    async def read_close(self) -> int | None:
        """Read on until a close frame, and give its code."""
        while True:
            found = await self.read_frame()
            if found.opcode == CLOSE:
                return struct.unpack("!H", found.payload[:2])[0] if found.payload else None

    async def gone(self) -> None:
        """Wait until the client closed the TCP connection; what it sends before is read and thrown away."""
        with suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    def pause(self) -> None:
        """Let what the client sends wait in buffers."""
        self.writer.transport.pause_reading()  # type: ignore[attr-defined]  # asyncio's own, a ReadTransport

    def resume(self) -> None:
        self.writer.transport.resume_reading()  # type: ignore[attr-defined]  # as above

    def reset(self) -> None:
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Peer], Awaitable[None]]


def refusing(status: str, *headers: str, body: bytes = b"") -> Script:
    """Answer the upgrade with another status."""

    async def script(peer: Peer) -> None:
        await peer.refuse(status, *headers, body=body)
        await peer.gone()

    return script


def answering(data: bytes) -> Script:
    async def script(peer: Peer) -> None:
        await peer.read_request()
        await peer.send(data)
        await peer.gone()

    return script


def sending(*data: bytes) -> Script:
    """Send these bytes, one packet each, and wait until the client is gone."""

    async def script(peer: Peer) -> None:
        for piece in data:
            await peer.send(piece)
        await peer.gone()

    return script


async def echo(peer: Peer) -> None:
    """Upgrade, and send every message back."""
    await peer.upgrade()
    while (found := await peer.read_frame()).opcode != CLOSE:
        await peer.send(frame(found.opcode, found.payload))
    await peer.send(frame(CLOSE, found.payload))


async def silent(_: Peer) -> None:
    """Send nothing, and keep the connection."""
    await asyncio.Event().wait()


async def read_nothing(peer: Peer) -> None:
    peer.pause()
    await asyncio.Event().wait()


class Server:
    def __init__(self, script: Script) -> None:
        self._script = script
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.host = "127.0.0.1"
        self.secure = False
        self.connections = 0
        self.failures: list[BaseException] = []

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'wss' if self.secure else 'ws'}://{host}:{self.port}/feed"

    def accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.get_running_loop().create_task(self._run(Peer(reader, writer)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, peer: Peer) -> None:
        try:
            await self._script(peer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left: what it should have done is asserted at its own end
        except Exception as error:
            self.failures.append(error)
        finally:
            peer.writer.close()
            with suppress(Exception):  # the script is over, however the connection ended
                await peer.writer.wait_closed()

    async def finish(self) -> None:
        """End all scripts, and raise what the first of them failed with."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.failures:
            raise self.failures[0]

    async def scripts_done(self) -> None:
        """Wait until every script has ended by itself."""
        await asyncio.gather(*self._tasks)


@asynccontextmanager
async def serve(
    script: Script, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Server]:
    """Listen for the length of a block."""
    server = Server(script)
    listening = await asyncio.start_server(
        server.accepted, host, port, ssl=tls, ssl_shutdown_timeout=0.2 if tls else None, limit=1 << 24
    )
    server.host, server.port, server.secure = host, listening.sockets[0].getsockname()[1], tls is not None
    try:
        yield server
    finally:
        listening.close()
        await server.finish()
