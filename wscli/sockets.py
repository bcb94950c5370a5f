"""Listening sockets: private Unix sockets, and accepting clients without end."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

__all__ = ["BACKLOG", "accept_clients", "listen_at_path"]

BACKLOG = 512
ACCEPT_PAUSE = 0.05
"""Seconds after a failed accept: out of descriptors, the client stays queued, and a loop would spin."""


def listen_at_path(path: Path) -> socket.socket:
    """Listen at a Unix socket of mode 0600; a socket there is replaced only after it refused a connection.

    Raises:
        OSError: EADDRINUSE where a process listens there, EEXIST where the file is not a socket.
    """
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)  # a full backlog would block
        match probe.connect_ex(os.fspath(path)):
            case errno.ENOENT:
                pass
            case errno.ECONNREFUSED if stat.S_ISSOCK(path.lstat().st_mode):
                path.unlink(missing_ok=True)
            case errno.ECONNREFUSED:  # other files refuse as well
                raise OSError(errno.EEXIST, "the file there is not a socket")
            case 0 | errno.EAGAIN:
                raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
            case other:
                raise OSError(other, os.strerror(other))
    sock = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        sock.bind(os.fspath(path))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(before)
    sock.setblocking(False)
    return sock


async def accept_clients(
    listener: socket.socket, on_client: Callable[[socket.socket], None], on_error: Callable[[str], None]
) -> None:
    """Accept clients until cancelled; their sockets are non-blocking. ``on_error`` gets the text of a failure."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            sock, _ = await loop.sock_accept(listener)
        except OSError as error:
            if error.errno != errno.ECONNABORTED:  # the client hung up before it was accepted
                on_error((error.strerror or str(error)).lower())
            await asyncio.sleep(ACCEPT_PAUSE)
            continue
        sock.setblocking(False)
        on_client(sock)
