"""Which hosts a URL that a server gave may lead to: credentials go with the connection."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from wscli.net.hosts import as_address, ascii_name, host_of, is_localhost

__all__ = ["check_url_host", "parse_host_pattern"]

_LABEL = "[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_PATTERN = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\]")


def parse_host_pattern(text: str) -> str:
    """Read ``name`` or ``*.name``, which is every name below it; an IPv6 address stands in brackets.

    Raises:
        ValueError: it is neither; the text says what is wrong, and does not quote the value.
    """
    pattern = ascii_name(text)
    if not _PATTERN.fullmatch(pattern):
        raise ValueError("write a host such as 'ws.example.com', or '*.example.com' for all below it")
    return pattern.strip("[]")


def check_url_host(url: str, patterns: Collection[str]) -> None:
    """Refuse a ws:// or wss:// URL of another host than the patterns name; ws:// may lead to this machine only.

    Raises:
        ValueError: the URL is invalid or refused; the text has the host, and nothing else of the URL.
    """
    try:
        parts = urlsplit(url)
        host = host_of(parts)
        valid = parts.scheme in ("ws", "wss") and bool(host) and parts.port != 0
    except ValueError:
        valid = False
    if not valid or any(not "!" <= sign <= "~" for sign in url):
        raise ValueError("the filled url is not a valid ws:// or wss:// URL")
    if not any(_fits(host, pattern) for pattern in patterns):
        raise ValueError(f"the filled url leads to {host!r}, which 'url_hosts' does not allow")
    address = as_address(host)
    if parts.scheme == "ws" and not is_localhost(host) and not (address is not None and address.is_loopback):
        raise ValueError(f"the filled url leads to {host!r} without TLS; it must be wss://")


def _fits(host: str, pattern: str) -> bool:
    host = host.removesuffix(".")
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
