"""DNS and TCP: resolves a name and connects to the first address that answers (RFC 8305)."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from typing import Any

import aiohappyeyeballs

from wscli.transport.dial.address import ServerAddress
from wscli.transport.dial.context import DialContext

__all__ = ["connect_tcp", "hang_up", "ignore_failure"]

_HEAD_START = 0.25
"""Seconds before the next address is tried as well: the recommended value (RFC 8305, section 8)."""

_AddrInfo = tuple[
    int | socket.AddressFamily,
    int | socket.SocketKind,
    int,
    str,
    tuple[str, int] | tuple[str, int, int, int],
]


async def connect_tcp(dial: DialContext, server: ServerAddress) -> socket.socket:
    """Give a connected, non-blocking socket.

    Raises:
        OSError: no address, or none that answers; ``socket.gaierror`` for the former.
        UnicodeError: DNS cannot carry the name.

    """
    dial.begin("dns", server)
    infos = await _resolve(server)
    dial.timeline.addresses = tuple(dict.fromkeys(str(info[4][0]) for info in infos))
    dial.done(server.label or ", ".join(dial.timeline.addresses))
    dial.begin("tcp")
    sock = await aiohappyeyeballs.start_connection(infos, happy_eyeballs_delay=_HEAD_START)
    host, port = sock.getpeername()[:2]
    dial.timeline.peer = server.label or ServerAddress(host, port).netloc
    dial.done(f"connected to {dial.timeline.peer}")
    return sock


async def _resolve(server: ServerAddress) -> list[_AddrInfo]:
    loop = asyncio.get_running_loop()
    infos: list[_AddrInfo]
    if _is_address(server.host):  # needs no thread
        infos = socket.getaddrinfo(  # type: ignore[assignment]  # typeshed knows of builds without IPv6
            server.host, server.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
    else:
        infos = await loop.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)  # type: ignore[assignment]  # as above
    return list(dict.fromkeys(infos))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def hang_up(sock: socket.socket) -> None:
    """End a socket that a transport may own.

    Closing it here would take the descriptor from the loop. A shut down socket reads as ended, so that the transport
    closes it within two turns of the loop.
    """
    with contextlib.suppress(OSError):  # already closed, or never connected
        sock.shutdown(socket.SHUT_RDWR)


def ignore_failure(future: asyncio.Future[Any]) -> None:
    """Mark a failure as retrieved (a done-callback): the dial may no longer await the future."""
    if not future.cancelled():
        future.exception()
