"""Small proxies for the tests: HTTP CONNECT, SOCKS5 (RFC 1928, 1929) and SOCKS4a, all to loopback."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from tests.transport.servers import Peer, Script

__all__ = ["http_proxy", "pipe", "socks4_proxy", "socks5_proxy"]


async def pipe(peer: Peer, host: str, port: int, granted: bytes) -> None:
    """Connect to the server, say so, and carry bytes both ways until either side ends."""
    reader, writer = await asyncio.open_connection(host, port)
    await peer.send(granted)

    async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()

    ways = [asyncio.ensure_future(carry(peer.reader, writer)), asyncio.ensure_future(carry(reader, peer.writer))]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def http_proxy(asked: list[Peer], *, port: int) -> Script:
    """Answers CONNECT for any name, and leads to a port of loopback; ``asked`` gets each request."""

    async def script(peer: Peer) -> None:
        await peer.read_request()
        asked.append(peer)
        await pipe(peer, "127.0.0.1", port, b"HTTP/1.1 200 Connection established\r\n\r\n")

    return script


def socks5_proxy(asked: list[tuple[str, ...]], *, port: int, password: str | None = None) -> Script:
    """``asked`` gets the host as it was named, and the credentials if any were asked for."""

    async def script(peer: Peer) -> None:
        read = peer.reader.readexactly
        assert await read(1) == b"\x05"
        methods = await read((await read(1))[0])
        given: tuple[str, ...] = ()
        if password is None:
            await peer.send(b"\x05\x00")
        else:
            assert 2 in methods
            await peer.send(b"\x05\x02")
            assert await read(1) == b"\x01"
            given = tuple([(await read((await read(1))[0])).decode() for _ in range(2)])
            if given[1] != password:
                await peer.send(b"\x01\x01")
                return
            await peer.send(b"\x01\x00")
        _, command, _, kind = await read(4)
        assert command == 1
        if kind == 3:
            host = (await read((await read(1))[0])).decode()
        else:
            family, length = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
            host = socket.inet_ntop(family, await read(length))
        await read(2)
        asked.append((host, *given))
        await pipe(peer, "127.0.0.1", port, b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")

    return script


def socks4_proxy(asked: list[tuple[str, ...]], *, port: int) -> Script:
    """``asked`` gets the host as it was named."""

    async def script(peer: Peer) -> None:
        head = await peer.reader.readexactly(8)
        assert head[:2] == b"\x04\x01"
        await peer.reader.readuntil(b"\x00")
        host = socket.inet_ntoa(head[4:])
        if host == "0.0.0.1":
            host = (await peer.reader.readuntil(b"\x00"))[:-1].decode()
        asked.append((host,))
        await pipe(peer, "127.0.0.1", port, b"\x00\x5a" + bytes(6))

    return script
