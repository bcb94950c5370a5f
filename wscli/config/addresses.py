"""Parse hosts and origins of the file and of requests; no input raises."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import NamedTuple

__all__ = ["DEFAULT_PORTS", "Host", "Origin", "parse_host", "parse_origin"]

DEFAULT_PORTS = {"http": 80, "https": 443}

_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(
    rf"(?:\[(?P<v6>[0-9a-f:.]{{2,45}})\]|(?P<name>{_LABEL}(?:\.{_LABEL})*)\.?)(?::(?P<port>[0-9]{{1,5}}))?"
)
_ORIGIN = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]{0,30})://(?P<host>.+)", re.DOTALL)
_LONGEST_NAME = 253
_LAST_PORT = 65535


class Host(NamedTuple):
    """The host that a request names."""

    name: str
    """In lower case, without a trailing dot; an IPv6 address without its brackets, in its shortest form."""
    port: int | None
    """None: the scheme's default."""


class Origin(NamedTuple):
    """The origin of a page (RFC 6454, section 4)."""

    scheme: str
    name: str
    port: int | None
    """The scheme's default where none is written; None for a scheme without one."""


def parse_host(text: str) -> Host | None:
    """Parse ``name``, ``name:port`` or ``[v6]:port``; None for other text (RFC 9110, section 7.2)."""
    found = _HOST.fullmatch(text.lower()) if text.isascii() else None
    if found is None:
        return None
    name, port = found["name"] or _shortest(found["v6"]), None if found["port"] is None else int(found["port"])
    if name is None or len(name) > _LONGEST_NAME or (port or 0) > _LAST_PORT:
        return None
    return Host(name, port)


def _shortest(v6: str) -> str | None:
    try:
        return str(IPv6Address(v6))
    except ValueError:
        return None


def parse_origin(text: str) -> Origin | None:
    """Parse ``scheme://host`` or ``scheme://host:port``; None for other text (RFC 6454, section 6.2)."""
    found = _ORIGIN.fullmatch(text.lower()) if text.isascii() else None
    host = parse_host(found["host"]) if found is not None else None
    if found is None or host is None:
        return None
    scheme = found["scheme"]
    return Origin(scheme, host.name, DEFAULT_PORTS.get(scheme) if host.port is None else host.port)
