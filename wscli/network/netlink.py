"""Watches the Linux kernel's network changes on an AF_NETLINK socket, rtnetlink(7)."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable

from wscli.network.change_filter import ChangeFilter
from wscli.network.rtnetlink import Group, parse_changes

__all__ = ["NetlinkWatcher", "open_netlink"]

BUFFER = 1 << 16
"""Bytes of one read: the kernel's messages are at most 32 KiB."""

AT_ONCE = 64
"""Datagrams read in one turn of the loop, so that many route changes do not block it."""

_GROUPS = Group.LINK | Group.IPV4_ADDRESS | Group.IPV4_ROUTE | Group.IPV6_ADDRESS | Group.IPV6_ROUTE


def open_netlink() -> socket.socket | None:
    """Open a socket subscribed to interfaces, addresses and routes; None on a system without netlink.

    Raises:
        OSError: a sandbox forbids it.

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


class NetlinkWatcher:
    """Calls ``on_event`` for relevant changes, and ``on_broken`` once if the socket fails."""

    def __init__(self, sock: socket.socket, on_event: Callable[[], None], on_broken: Callable[[OSError], None]) -> None:
        self._sock = sock
        self._on_event = on_event
        self._on_broken = on_broken
        self._filter = ChangeFilter()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock.fileno(), self._readable)

    def close(self) -> None:
        """Stop."""
        if self._sock.fileno() >= 0:
            self._loop.remove_reader(self._sock.fileno())
            self._sock.close()

    def _readable(self) -> None:
        matters = False
        try:
            for _ in range(AT_ONCE):
                data, (port, _groups) = self._sock.recvfrom(BUFFER)
                if port == 0:  # sent by the kernel
                    matters |= self._matters(data)
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                self.close()
                self._on_broken(error)
                return
            self._filter.forget()  # messages were lost, which counts as a change
            matters = True
        if matters:
            self._on_event()

    def _matters(self, data: bytes) -> bool:
        matters = False
        for change in parse_changes(data):
            matters |= self._filter.matters(change)  # each one, since the filter remembers it
        return matters
