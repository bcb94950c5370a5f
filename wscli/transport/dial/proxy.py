"""The proxy of a dial."""

from __future__ import annotations

import os
from typing import NamedTuple

from wscli.core.failures import Failure, FailureKind
from wscli.net.hosts import UNIX
from wscli.net.proxy import ProxyAddress, ProxySettings, parse_proxy, proxy_url
from wscli.transport.connection import DialError, DialTarget
from wscli.transport.dial.address import ServerAddress, TargetUrl

__all__ = ["Proxy", "find_proxy"]


class Proxy(NamedTuple):
    """A proxy, and its name in messages."""

    address: ProxyAddress
    server: ServerAddress
    shown: str
    """The URL without secrets."""


def find_proxy(target: DialTarget, url: TargetUrl) -> Proxy | None:
    """Give the proxy to dial through; None: dial directly.

    Raises:
        DialError: the proxy's URL is invalid, or of an unknown scheme.
    """
    if (target.connect_to or "").startswith(UNIX):
        return None
    found = proxy_url(target.proxy, url.scheme, url.server.host, url.server.port or 0, os.environ)
    if found is None:
        return None
    try:
        address = parse_proxy(found)
    except ValueError as error:
        raise DialError(Failure(FailureKind.PROXY, f"the proxy cannot be used: {error}")) from None
    server = ServerAddress(address.host, address.port)
    # A declared proxy is not named: its host may come from the environment of the YAML file.
    label = "the proxy" if isinstance(target.proxy, ProxySettings) else f"the proxy {server.where}"
    shown = target.shown_proxy or f"{address.scheme}://{server.netloc}"
    return Proxy(address, server._replace(label=label), shown)
