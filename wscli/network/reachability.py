"""Whether a route leads to an address; no packet is sent."""

from __future__ import annotations

import errno
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

from wscli.network.rtnetlink import ALIVE, LinkChange, RouteChange, ask_link, ask_route, parse_changes

__all__ = ["local_address", "reachable", "source_address"]

_UNREACHABLE = frozenset(
    {
        errno.ENETUNREACH,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.EADDRNOTAVAIL,  # a route, but no address of ours to send from
        errno.EAFNOSUPPORT,  # the machine speaks no IPv6
    }
)
_DISCARD = 9
"""The port of the connected socket (RFC 863); nothing is sent to it."""

_BUFFER = 1 << 16


def reachable(address: str) -> bool:
    """Say whether a packet to an IP address would leave over an interface with a carrier.

    Loopback, and anything but an IP address, counts as reachable. True is a hint, not a promise. The look-up takes 0.1
    to 0.2 ms and does not block.
    """
    try:
        ip = ip_address(address)
    except ValueError:
        return True
    ip = getattr(ip, "ipv4_mapped", None) or ip
    if ip.is_loopback:
        return True
    try:
        scope = _scope(ip)
        local_address(ip, scope)
        return _carries(ip, scope)
    except OSError as error:
        return error.errno not in _UNREACHABLE


def source_address(address: str) -> str | None:
    """Give the address of ours that packets to an IP address would come from now; None: no route leads there."""
    try:
        ip = ip_address(address)
        return local_address(ip, _scope(ip))
    except (OSError, ValueError):
        return None


def local_address(ip: IPv4Address | IPv6Address, scope: int = 0) -> str:
    """Give the source address of packets to ``ip``: the kernel looks it up when a UDP socket is connected.

    Raises:
        OSError: there is no route, or no permission.
    """
    is_v4 = ip.version == 4
    place = (str(ip), _DISCARD) if is_v4 else (str(ip).partition("%")[0], _DISCARD, 0, scope)
    with socket.socket(socket.AF_INET if is_v4 else socket.AF_INET6, socket.SOCK_DGRAM) as sock:
        sock.connect(place)
        return str(sock.getsockname()[0])


def _scope(ip: IPv4Address | IPv6Address) -> int:
    """Find the interface of a link-local address: ``fe80::1%eth0``, ``fe80::1%2``."""
    name = ip.scope_id if isinstance(ip, IPv6Address) else None
    if name is None:
        return 0
    if name.isdecimal():
        return int(name)
    try:
        return socket.if_nametoindex(name)
    except OSError:
        raise OSError(errno.ENETDOWN, "no such interface") from None


def _carries(ip: IPv4Address | IPv6Address, scope: int) -> bool:
    """Whether the interface of the route is up, running and has a carrier; true where this is unknown.

    The kernel keeps the routes of an interface whose peer is down; only its flags show it.
    """
    if not hasattr(socket, "AF_NETLINK"):
        return True
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0) as kernel:
            route = _ask(kernel, ask_route(ip, scope))
            if not isinstance(route, RouteChange) or route.interface is None:
                return True  # several next hops, or a route that was removed meanwhile
            link = _ask(kernel, ask_link(route.interface))
    except OSError:
        return True  # no netlink in this sandbox, or no answer at once
    return not isinstance(link, LinkChange) or link.flags & ALIVE == ALIVE


def _ask(kernel: socket.socket, request: bytes) -> object:
    """Ask the kernel, which answers before ``send`` returns."""
    kernel.sendto(request, (0, 0))
    return next(parse_changes(kernel.recv(_BUFFER)), None)
