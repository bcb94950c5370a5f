"""Changes of the network as the Linux kernel tells them: a plain AF_NETLINK socket, rtnetlink(7)."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable

from wscli.network.relevance import Relevance
from wscli.network.rtnetlink import Group, parse

__all__ = ["NetlinkSource", "open_netlink"]

BUFFER = 1 << 16
"""Bytes of one read: the kernel's messages are at most 32 KiB."""

AT_ONCE = 64
"""Datagrams read in one turn of the loop; the rest waits for the next, so that a storm of routes starves nobody."""

_GROUPS = Group.LINK | Group.IPV4_ADDRESS | Group.IPV4_ROUTE | Group.IPV6_ADDRESS | Group.IPV6_ROUTE


def open_netlink() -> socket.socket | None:
    """Open a socket that hears of interfaces, addresses and routes; None on a system that has no netlink.

    Raises:
        OSError: the system has it, but a sandbox forbids it.

    """
    if not hasattr(socket, "AF_NETLINK"):
        return None
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)  # protocol 0: NETLINK_ROUTE
    try:
        sock.bind((0, int(_GROUPS)))
    except OSError:
        sock.close()
        raise
    return sock


class NetlinkSource:
    """Calls ``on_event`` for what matters; ``on_broken``, once, when the socket itself fails and is closed."""

    def __init__(self, sock: socket.socket, on_event: Callable[[], None], on_broken: Callable[[OSError], None]) -> None:
        self._sock = sock
        self._on_event = on_event
        self._on_broken = on_broken
        self._relevance = Relevance()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock.fileno(), self._readable)

    def close(self) -> None:
        """Listen no more."""
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())
            self._sock.close()

    def _readable(self) -> None:
        matters = False
        try:
            for _ in range(AT_ONCE):
                data, (port, _groups) = self._sock.recvfrom(BUFFER)
                if port == 0:  # the kernel's own; nobody else's word counts
                    matters |= self._matters(data)
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                self.close()
                self._on_broken(error)
                return
            self._relevance.forget()  # messages were lost, and whatever they said is a change
            matters = True
        if matters:
            self._on_event()

    def _matters(self, data: bytes) -> bool:
        matters = False
        for change in parse(data):
            matters |= self._relevance.of(change)
        return matters
