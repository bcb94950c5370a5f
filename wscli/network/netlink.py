"""Watches the Linux kernel's network changes on an AF_NETLINK socket, rtnetlink(7)."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable

from wscli.network.rtnetlink import ALIVE, AddressChange, Change, LinkChange, RouteChange, Trouble, parse_changes

__all__ = ["ChangeFilter", "NetlinkWatcher", "open_netlink"]

BUFFER = 1 << 16
"""Bytes of one read: the kernel's messages are at most 32 KiB."""

AT_ONCE = 64
"""Datagrams read in one turn of the loop, so that many route changes do not block it."""

_RTN_ROUTES = (1, 6, 7, 8, 9)  # unicast; blackhole, unreachable, prohibit, throw
_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
"""Interfaces, addresses and routes of IPv4, addresses and routes of IPv6 (RTMGRP_*)."""


def open_netlink() -> socket.socket | None:
    """Open a socket subscribed to interfaces, addresses and routes; None on a system without netlink.

    Raises:
        OSError: a sandbox forbids it.
    """
    if not hasattr(socket, "AF_NETLINK"):
        return None
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)  # protocol 0: NETLINK_ROUTE
    try:
        sock.bind((0, _GROUPS))
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
                    for change in parse_changes(data):
                        matters |= self._filter.matters(change)  # each one, since the filter remembers it
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


class ChangeFilter:
    """Remembers links and addresses, because the kernel often repeats what has not changed.

    A wireless driver announces its interface at each scan, and a router advertisement repeats its addresses. The first
    message about a link or address counts as a change.
    """

    def __init__(self) -> None:
        self._links: dict[int, int] = {}
        self._addresses: set[tuple[int, bytes]] = set()

    def forget(self) -> None:
        """Forget everything, because messages were lost."""
        self._links.clear()
        self._addresses.clear()

    def matters(self, change: Change) -> bool:
        """Whether a change may matter to a destination."""
        match change:
            case LinkChange():
                return self._of_link(change)
            case AddressChange():
                return self._of_address(change)
            case RouteChange():
                # Local, broadcast and multicast routes change with an address, which has a message of its own.
                return not change.cached and change.kind in _RTN_ROUTES
            case Trouble(errno=errno):
                self.forget()
                return errno == 0

    def _of_link(self, change: LinkChange) -> bool:
        before = self._links.pop(change.interface, None)
        if change.gone:
            return True
        self._links[change.interface] = alive = change.flags & ALIVE
        return before != alive

    def _of_address(self, change: AddressChange) -> bool:
        known = (change.interface, change.address)
        was_there = known in self._addresses
        if change.usable and not change.gone:
            self._addresses.add(known)
            return not was_there
        self._addresses.discard(known)
        return change.gone or was_there
