"""Hosts and origins (RFC 6454), and redirects that stay at one origin: credentials go nowhere else."""

from __future__ import annotations

import re
from ipaddress import IPv6Address
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit, urlunsplit

from wscli.net.hosts import host_of

__all__ = [
    "DEFAULT_PORTS",
    "REDIRECTS",
    "Host",
    "Origin",
    "origin_of",
    "parse_host",
    "parse_origin",
    "redirect_target",
    "without_query",
]

DEFAULT_PORTS = {"http": 80, "https": 443}
REDIRECTS = (301, 302, 303, 307, 308)
"""HTTP statuses that name another URL in ``Location`` (RFC 9110, section 15.4)."""

_HTTP_SCHEMES = {"ws": "http", "wss": "https"}
_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = re.compile(
    rf"(?:\[(?P<v6>[0-9a-f:.]{{2,45}})\]|(?P<name>{_LABEL}(?:\.{_LABEL})*)\.?)(?::(?P<port>[0-9]{{1,5}}))?"
)
_ORIGIN = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]{0,30})://(?P<host>.+)", re.DOTALL)
_USERINFO = re.compile("//[^/]*@")
_MAX_NAME = 253
_MAX_PORT = 65535


class Host(NamedTuple):
    """The host and port that a request names."""

    name: str
    """In lower case, without a trailing dot; an IPv6 address without its brackets, in its shortest form."""
    port: int | None
    """None: not given, which means the scheme's default."""


class Origin(NamedTuple):
    """A scheme, host and port (RFC 6454, section 4)."""

    scheme: str
    name: str
    port: int | None
    """The scheme's default where none is given; None for a scheme without one."""


def parse_host(text: str) -> Host | None:
    """Read ``name``, ``name:port`` or ``[v6]:port``; None for anything else (RFC 9110, section 7.2)."""
    found = _HOST.fullmatch(text.lower()) if text.isascii() else None
    if found is None:
        return None
    try:
        name = found["name"] or str(IPv6Address(found["v6"]))
    except ValueError:
        return None
    port = int(found["port"]) if found["port"] else None
    return None if len(name) > _MAX_NAME or (port or 0) > _MAX_PORT else Host(name, port)


def parse_origin(text: str) -> Origin | None:
    """Read ``scheme://host`` or ``scheme://host:port``; None for anything else (RFC 6454, section 6.2)."""
    found = _ORIGIN.fullmatch(text.lower()) if text.isascii() else None
    if found is None or (host := parse_host(found["host"])) is None:
        return None
    scheme = found["scheme"]
    return Origin(scheme, host.name, DEFAULT_PORTS.get(scheme) if host.port is None else host.port)


def origin_of(url: str) -> Origin:
    """Give the origin of a URL; ``ws`` counts as ``http`` and ``wss`` as ``https``.

    Raises:
        ValueError: the URL has an invalid port or host.
    """
    parts = urlsplit(url)
    scheme = _HTTP_SCHEMES.get(parts.scheme, parts.scheme)
    return Origin(scheme, host_of(parts).removesuffix("."), parts.port or DEFAULT_PORTS.get(scheme))


def redirect_target(url: str, location: str) -> str | None:
    """Resolve a redirect of ``url`` (RFC 3986, section 5); None where it leaves the origin or is invalid.

    The scheme and the credentials of ``url`` are kept, so that ``wss://`` may be redirected by ``https://``.
    """
    here = urlsplit(url)
    try:
        there = urlsplit(urljoin(_as_http(url), _as_http(location)))  # urljoin does not know ws:// and wss://
        if origin_of(urlunsplit(there)) != origin_of(url):
            return None
    except ValueError:
        return None
    return urlunsplit((here.scheme, here.netloc, there.path or "/", there.query, ""))


def without_query(url: str) -> str:
    """Hide the parts of a URL, or of a reference to one, that may hold secrets: userinfo, query and fragment."""
    shown, query, _ = re.split("#", url, maxsplit=1)[0].partition("?")
    return _USERINFO.sub("//***@", shown) + ("?***" if query else "")


def _as_http(url: str) -> str:
    return f"http{url[2:]}" if url.lower().startswith(("ws://", "wss://")) else url
