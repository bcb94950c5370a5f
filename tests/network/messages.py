"""Messages as the kernel would send them."""

from __future__ import annotations

import struct
from ipaddress import ip_address

NEW_LINK, DEL_LINK, NEW_ADDRESS, DEL_ADDRESS, NEW_ROUTE, DEL_ROUTE = 16, 17, 20, 21, 24, 25
UNICAST, LOCAL, BLACKHOLE = 1, 2, 6
TENTATIVE, PERMANENT = 0x40, 0x80


def message(kind: int, body: bytes) -> bytes:
    padding = bytes(-len(body) % 4)
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body + padding


def attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def link(index: int, flags: int, *, kind: int = NEW_LINK, family: int = 0) -> bytes:
    return message(kind, struct.pack("=BxHiII", family, 1, index, flags, 0) + attribute(3, b"eth0\0"))


def address(index: int, text: str, flags: int = PERMANENT, *, kind: int = NEW_ADDRESS) -> bytes:
    packed = ip_address(text).packed
    head = struct.pack("=BBBBI", 2 if len(packed) == 4 else 10, 24, flags & 0xFF, 0, index)
    return message(kind, head + attribute(1, packed) + attribute(8, struct.pack("=I", flags)))


def route(index: int | None, route_type: int = UNICAST, flags: int = 0, *, kind: int = NEW_ROUTE) -> bytes:
    head = struct.pack("=BBBBBBBBI", 2, 24, 0, 0, 254, 2, 0, route_type, flags)
    return message(kind, head + (b"" if index is None else attribute(4, struct.pack("=I", index))))
