"""DNS and TCP: a name becomes addresses, and the first of them that answers a socket (RFC 8305)."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from typing import Any

import aiohappyeyeballs

from wscli.transport.address import Place, bracketed
from wscli.transport.course import Course

__all__ = ["connect_tcp", "hang_up", "heard"]

_HEAD_START = 0.25
"""Seconds that one address is tried before the next joins in: the recommended value (RFC 8305, section 8)."""

_AddrInfo = tuple[
    int | socket.AddressFamily,
    int | socket.SocketKind,
    int,
    str,
    tuple[str, int] | tuple[str, int, int, int],
]


async def connect_tcp(course: Course, place: Place) -> socket.socket:
    """Give a connected, non-blocking socket.

    Raises:
        OSError: no address, or none that answers; ``socket.gaierror`` for the former.
        UnicodeError: the name is none that DNS can carry.

    """
    course.begin("dns", place)
    infos = await _resolve(place)
    course.timeline.addresses = tuple(dict.fromkeys(str(info[4][0]) for info in infos))
    course.done(place.label or ", ".join(course.timeline.addresses))
    course.begin("tcp")
    sock = await aiohappyeyeballs.start_connection(infos, happy_eyeballs_delay=_HEAD_START)
    host, port = sock.getpeername()[:2]
    course.timeline.peer = place.label or f"{bracketed(host)}:{port}"
    course.done(f"connected to {course.timeline.peer}")
    return sock


async def _resolve(place: Place) -> list[_AddrInfo]:
    loop = asyncio.get_running_loop()
    infos: list[_AddrInfo]
    if _is_address(place.host):  # nothing to wait for, and no thread to start
        infos = socket.getaddrinfo(  # type: ignore[assignment]  # typeshed knows of builds without IPv6
            place.host, place.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
    else:
        infos = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)  # type: ignore[assignment]  # as above
    return list(dict.fromkeys(infos))


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def hang_up(sock: socket.socket) -> None:
    """Make a socket that a transport may have taken over end at once.

    Closing it here would pull the descriptor away from under the loop. A shut down socket reads as ended, so that the
    transport closes it within two turns of the loop.
    """
    with contextlib.suppress(OSError):  # it is closed already, or was never connected
        sock.shutdown(socket.SHUT_RDWR)


def heard(future: asyncio.Future[Any]) -> None:
    """A done-callback for a future that nobody may await any more: its failure was told elsewhere."""
    if not future.cancelled():
        future.exception()
