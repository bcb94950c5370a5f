"""The host of a URL in every form in which people write it, as curl and browsers read it."""

from __future__ import annotations

import os
import re
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import SplitResult, unquote, urlsplit

__all__ = ["UNIX", "as_address", "ascii_name", "host_of", "is_localhost", "parse_place", "split_zone", "without_zone"]

UNIX = "unix:"
"""Before the path of a Unix socket, in place of a URL or of ``HOST:PORT``."""
_LONGEST_PATH = 107
"""Bytes of the path of a Unix socket on Linux; macOS has 103."""

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f#%/:<>?@\[\\\]^`{|}]")
"""In a host (WHATWG URL, section 3.2)."""
_NUMBER = "(?:0x[0-9a-f]*|[0-9]+)"
_NUMERIC = re.compile(rf"{_NUMBER}(?:\.{_NUMBER}){{0,3}}\.?")


def host_of(parts: SplitResult) -> str:
    """Give the host in the form that a resolver takes; empty where the URL has none.

    A name is in lower case; one beyond ASCII is encoded by IDNA 2008 after the mapping of UTS 46, as ``xn--...``. An
    IPv4 address has four decimal numbers: ``127.1`` is 127.0.0.1. An IPv6 address has no brackets, and may have a zone,
    which a URL writes as ``%25eth0`` (RFC 6874) or ``%eth0``.

    Raises:
        ValueError: the host is invalid.
    """
    host = parts.hostname or ""
    if ":" in host:
        address, zone = split_zone(host.replace("%25", "%", 1))
        return f"{IPv6Address(address)}%{zone}" if zone else str(IPv6Address(address))
    name = ascii_name(unquote(host))
    if _NUMERIC.fullmatch(name):
        return _ipv4(name.removesuffix("."))
    if _FORBIDDEN.search(name):
        raise ValueError("invalid host")
    return name.removesuffix(".") if is_localhost(name) else name


def parse_place(text: str) -> tuple[str, int | None]:
    """Read ``HOST:PORT``, or ``unix:PATH``, which gives the path and no port.

    Raises:
        ValueError: it is neither; the text says what is wrong, and does not quote the value.
    """
    if text.startswith(UNIX):
        path = text.removeprefix(UNIX)
        if not path or "\0" in path or len(os.fsencode(path)) > _LONGEST_PATH:
            raise ValueError(f"the path of a Unix socket must have 1 to {_LONGEST_PATH} bytes")
        return path, None
    try:
        parts = urlsplit(f"//{text}")
        host, port = host_of(parts), parts.port
    except ValueError:
        host, port = "", None
    if not host or not port or parts.netloc != text or "@" in text:
        raise ValueError("it must be HOST:PORT, [IPV6]:PORT or unix:PATH")
    return host, port


def is_localhost(name: str) -> bool:
    """Whether a name is ``localhost`` or below it, and so this machine, whatever a resolver says (RFC 6761)."""
    return f".{name}".removesuffix(".").endswith(".localhost")


def ascii_name(name: str) -> str:
    """Give a name as DNS carries it, in lower case.

    Raises:
        ValueError: IDNA 2008 does not allow the name.
    """
    if name.isascii():
        return name.lower()
    import idna  # its tables are large, and most names are ASCII

    try:
        labels = idna.uts46_remap(name, std3_rules=False).split(".")
        return ".".join(label if label.isascii() else idna.alabel(label).decode() for label in labels)
    except idna.IDNAError:
        raise ValueError("invalid host") from None


def _ipv4(text: str) -> str:
    try:
        return socket.inet_ntoa(socket.inet_aton(text))
    except OSError:
        raise ValueError("invalid IPv4 address") from None


def split_zone(host: str) -> tuple[str, str]:
    """Split ``fe80::1%eth0`` into address and zone; the latter is empty where there is none."""
    address, _, zone = host.partition("%")
    return address, zone


def without_zone(host: str) -> str:
    """Give the host as a server may see it: a zone names an interface of this machine (RFC 6874, section 4)."""
    return split_zone(host)[0]


def as_address(text: str) -> IPv4Address | IPv6Address | None:
    """Read an IP address, with or without brackets and zone; an IPv4-mapped one is an IPv4 address."""
    try:
        address = ip_address(without_zone(text.strip("[]")))
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
