"""The addresses of a name."""

from __future__ import annotations

import asyncio
import socket

__all__ = ["resolve"]


async def resolve(host: str) -> tuple[str, ...]:
    """Give the IP addresses of a host, in the order of preference (RFC 6724); none where it cannot be resolved."""
    try:
        infos = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(info[4][0]) for info in infos))
