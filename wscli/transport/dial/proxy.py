"""The proxy of a dial, parsed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from wscli.core.events import Failure, FailureKind
from wscli.net.proxy import ProxySettings, proxy_url
from wscli.transport.connection import DialError, DialTarget
from wscli.transport.dial.address import ServerAddress, TargetUrl

__all__ = ["Proxy", "find_proxy"]

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080, "socks4": 1080, "socks4a": 1080}


@dataclass(frozen=True, slots=True, repr=False)
class Proxy:
    """A proxy's address and credentials; no repr, because it holds a password."""

    scheme: str
    server: ServerAddress
    shown: str
    """The URL without secrets."""
    username: str | None = None
    password: str | None = None


def find_proxy(target: DialTarget, url: TargetUrl) -> Proxy | None:
    """Give the proxy to dial through; None: dial directly.

    Raises:
        DialError: the proxy's URL is invalid, or of an unknown scheme.
    """
    found = proxy_url(target.proxy, url.scheme, url.server.host, url.server.port, os.environ)
    if found is None:
        return None
    try:
        parts = urlsplit(found)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port == 0:
        raise _unusable("its URL is invalid")
    scheme = "socks4" if parts.scheme == "socks" else parts.scheme  # as curl reads it
    if scheme not in _DEFAULT_PORTS:
        raise _unusable(f"its scheme must be one of {', '.join(_DEFAULT_PORTS)}, not {scheme!r}")
    server = ServerAddress(host, port or _DEFAULT_PORTS[scheme])
    return Proxy(
        scheme=scheme,
        # A declared proxy is not named: its host may come from the environment of the YAML file.
        server=server._replace(
            label="the proxy" if isinstance(target.proxy, ProxySettings) else f"the proxy {server.where}"
        ),
        shown=target.shown_proxy or f"{scheme}://{server.netloc}",
        username=None if parts.username is None else unquote(parts.username),
        password=None if parts.username is None else unquote(parts.password or ""),
    )


def _unusable(why: str) -> DialError:
    return DialError(Failure(FailureKind.PROXY, f"the proxy cannot be used: {why}"))
