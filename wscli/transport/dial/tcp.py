"""DNS and TCP: resolves a name and connects to the first address that answers (RFC 8305); or to a Unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket

import aiohappyeyeballs

from wscli.net.hosts import is_localhost, split_zone
from wscli.transport.dial.address import ServerAddress
from wscli.transport.dial.context import DialContext

__all__ = ["connect_tcp", "hang_up"]

_HEAD_START = 0.25
"""Seconds before the next address is tried as well: the recommended value (RFC 8305, section 8)."""


async def connect_tcp(dial: DialContext, server: ServerAddress) -> socket.socket:
    """Give a connected, non-blocking socket.

    Raises:
        OSError: no address, or none that answers; ``socket.gaierror`` for the former.
        UnicodeError: DNS cannot carry the name.
    """
    if server.port is None:
        return await _connect_unix(dial, server)
    dial.begin("dns", server)
    infos = await _resolve(server)
    dial.timeline.host = server.host
    dial.timeline.addresses = tuple(dict.fromkeys(str(info[4][0]) for info in infos))
    dial.done(server.label or ", ".join(dial.timeline.addresses))
    dial.begin("tcp")
    sock = await aiohappyeyeballs.start_connection(infos, happy_eyeballs_delay=_HEAD_START)
    host, port = sock.getpeername()[:2]
    dial.timeline.route = (sock.getsockname()[0], host)
    dial.timeline.peer = server.label or ServerAddress(host, port).netloc
    dial.done(f"connected to {dial.timeline.peer}")
    return sock


async def _connect_unix(dial: DialContext, server: ServerAddress) -> socket.socket:
    dial.begin("tcp", server)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, server.host)
    except BaseException:
        sock.close()
        raise
    dial.timeline.peer = server.where
    dial.done(f"connected to {server.where}")
    return sock


async def _resolve(server: ServerAddress) -> list[aiohappyeyeballs.AddrInfoType]:
    host, zone = split_zone(server.host)
    name, port, kind = "localhost" if is_localhost(host) else host, server.port, socket.SOCK_STREAM
    infos: list[aiohappyeyeballs.AddrInfoType]
    try:  # an address needs no look-up, and so no thread
        infos = socket.getaddrinfo(name, port, type=kind, flags=socket.AI_NUMERICHOST)  # type: ignore[assignment]  # typeshed knows of builds without IPv6
    except socket.gaierror:
        infos = await asyncio.get_running_loop().getaddrinfo(name, port, type=kind)  # type: ignore[assignment]  # as above
    if zone:  # the C library takes names of zones for link-local addresses alone
        scope = _interface(zone)
        infos = [(*info[:4], (*info[4][:3], scope)) for info in infos]
    return list(dict.fromkeys(infos))


def _interface(zone: str) -> int:
    try:
        return int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)
    except OSError:
        raise OSError(errno.ENODEV, "no such interface") from None


def hang_up(sock: socket.socket) -> None:
    """End a socket that a transport may own.

    Closing it here would take the descriptor from the loop. A shut down socket reads as ended, so that the transport
    closes it within two turns of the loop.
    """
    with contextlib.suppress(OSError):  # already closed, or never connected
        sock.shutdown(socket.SHUT_RDWR)
