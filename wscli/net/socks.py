"""Connections through a SOCKS proxy (RFC 1928, 1929), by python-socks: for WebSocket dials and HTTP requests."""

from __future__ import annotations

import socket

from python_socks import ProxyType
from python_socks.async_.asyncio import Proxy

from wscli.net.proxy import ProxyAddress

__all__ = ["connect_socks"]

_DAY = 86400.0
"""Seconds: beyond every deadline of a caller."""
_VERSIONS = {"socks4": ProxyType.SOCKS4, "socks5": ProxyType.SOCKS5}


async def connect_socks(proxy: ProxyAddress, host: str, port: int) -> socket.socket:
    """Give a non-blocking socket that is connected to the host through the proxy; the caller limits the time.

    Raises:
        ProxyError, ProxyConnectionError: of python-socks: the proxy refused, or cannot be reached.
        OSError, UnicodeError: the host cannot be resolved here, as ``socks4`` and ``socks5`` have it.
    """
    version, by_name = _VERSIONS[proxy.scheme[:6]], proxy.scheme in ("socks4a", "socks5h")
    library = Proxy(version, proxy.host, proxy.port, proxy.username, proxy.password, by_name)
    return await library.connect(host, port, timeout=_DAY)
