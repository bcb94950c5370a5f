"""Parses and makes the messages of rtnetlink(7) that we need; no I/O.

Parsing never raises: malformed messages are skipped. Layouts are those of linux/rtnetlink.h, linux/if_link.h and
linux/if_addr.h, in the machine's byte order.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

__all__ = [
    "ALIVE",
    "AddressChange",
    "Change",
    "LinkChange",
    "RouteChange",
    "Trouble",
    "ask_link",
    "ask_route",
    "parse_changes",
]

_HEADER = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence, port
_LINK = struct.Struct("=BxHiII")  # ifinfomsg: family, type, index, flags, change
_ADDRESS = struct.Struct("=BBBBI")  # ifaddrmsg: family, prefix length, flags, scope, index
_ROUTE = struct.Struct("=BBBBBBBBI")  # rtmsg: family, lengths of dst and src, tos, table, protocol, scope, type, flags
_ATTRIBUTE = struct.Struct("=HH")  # rtattr: length, type
_U32 = struct.Struct("=I")

_NLM_F_REQUEST = 1
_ATTRIBUTE_TYPE = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_RTA_DST, _RTA_OIF = 1, 4
_IFLA_EXT_MASK, _RTEXT_FILTER_SKIP_STATS = 29, 8
_IFA_UNUSABLE = 0x40 | 0x08  # IFA_F_TENTATIVE, IFA_F_DADFAILED: not yet ours, or in use elsewhere
_AF_BRIDGE = 7
_RTM_F_CLONED = 0x200


class Kind(IntEnum):
    """Types of messages."""

    ERROR = 2
    OVERRUN = 4
    NEW_LINK = 16
    DEL_LINK = 17
    GET_LINK = 18
    NEW_ADDRESS = 20
    DEL_ADDRESS = 21
    NEW_ROUTE = 24
    DEL_ROUTE = 25
    GET_ROUTE = 26


ALIVE = 0x1 | 0x40 | 0x10000
"""UP, RUNNING and LOWER_UP (netdevice(7)): it carries packets. A peer that is down clears the last two."""


class LinkChange(NamedTuple):
    """An interface exists with these flags, or is gone."""

    interface: int
    flags: int
    gone: bool


class AddressChange(NamedTuple):
    """An interface has an address, or lost it.

    It is ``usable`` after duplicate address detection succeeded (RFC 4862, section 5.4).
    """

    interface: int
    address: bytes
    usable: bool
    gone: bool


class RouteChange(NamedTuple):
    """A route exists, or is gone; ``interface`` is its outgoing one, ``cached`` says that it is not configuration."""

    interface: int | None
    kind: int
    cached: bool
    gone: bool


class Trouble(NamedTuple):
    """The kernel refused a request (an errno), or lost messages (0)."""

    errno: int


Change = LinkChange | AddressChange | RouteChange | Trouble


def parse_changes(data: bytes) -> Iterator[Change]:
    """Give the changes in a datagram, up to the first message that is malformed or cut."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size or offset + length > len(data):
            return
        change = _parse_one(kind, data[offset + _HEADER.size : offset + length])
        if change is not None:
            yield change
        offset += _aligned(length)


def _parse_one(kind: int, body: bytes) -> Change | None:
    match kind:
        case Kind.NEW_LINK | Kind.DEL_LINK if len(body) >= _LINK.size:
            family, _, interface, flags, _ = _LINK.unpack_from(body)
            # In the family of bridges it joined or left one; the interface itself did not change.
            return None if family == _AF_BRIDGE else LinkChange(interface, flags, gone=kind == Kind.DEL_LINK)
        case Kind.NEW_ADDRESS | Kind.DEL_ADDRESS if len(body) >= _ADDRESS.size:
            return _parse_address(body, gone=kind == Kind.DEL_ADDRESS)
        case Kind.NEW_ROUTE | Kind.DEL_ROUTE if len(body) >= _ROUTE.size:
            *_, how, flags = _ROUTE.unpack_from(body)
            interface = _number(dict(_attributes(body, _ROUTE.size)).get(_RTA_OIF, b""))
            return RouteChange(interface, how, cached=bool(flags & _RTM_F_CLONED), gone=kind == Kind.DEL_ROUTE)
        case Kind.ERROR if len(body) >= _U32.size:
            return Trouble(-struct.unpack_from("=i", body)[0])
        case Kind.OVERRUN:
            return Trouble(0)
        case _:
            return None


def _parse_address(body: bytes, *, gone: bool) -> AddressChange | None:
    _, _, flags, _, interface = _ADDRESS.unpack_from(body)
    attributes = dict(_attributes(body, _ADDRESS.size))
    address = attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS)
    if not address:
        return None
    flags = _number(attributes.get(_IFA_FLAGS, b"")) or flags
    return AddressChange(interface, address, usable=not flags & _IFA_UNUSABLE, gone=gone)


def _number(payload: bytes) -> int | None:
    number: int | None = _U32.unpack(payload)[0] if len(payload) == _U32.size else None
    return number


def _attributes(body: bytes, offset: int) -> Iterator[tuple[int, bytes]]:
    while offset + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, offset)
        if length < _ATTRIBUTE.size or offset + length > len(body):
            return
        yield kind & _ATTRIBUTE_TYPE, body[offset + _ATTRIBUTE.size : offset + length]
        offset += _aligned(length)


def ask_route(address: IPv4Address | IPv6Address, interface: int = 0) -> bytes:
    """Make a request for the route to ``address``; the answer is a ``RouteChange`` or a ``Trouble``."""
    packed = address.packed
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    body = _ROUTE.pack(family, len(packed) * 8, 0, 0, 0, 0, 0, 0, 0) + _attribute(_RTA_DST, packed)
    if interface:
        body += _attribute(_RTA_OIF, _U32.pack(interface))
    return _request(Kind.GET_ROUTE, body)


def ask_link(interface: int) -> bytes:
    """Make a request for the flags of an interface; the answer is a ``LinkChange`` or a ``Trouble``."""
    skip = _attribute(_IFLA_EXT_MASK, _U32.pack(_RTEXT_FILTER_SKIP_STATS))
    return _request(Kind.GET_LINK, _LINK.pack(socket.AF_UNSPEC, 0, interface, 0, 0) + skip)


def _request(kind: Kind, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, _NLM_F_REQUEST, 1, 0) + body


def _attribute(kind: int, payload: bytes) -> bytes:
    padding = bytes(_aligned(len(payload)) - len(payload))
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(payload), kind) + payload + padding


def _aligned(length: int) -> int:
    return (length + 3) & ~3
