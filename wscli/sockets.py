"""Listening sockets, of TCP and private Unix sockets; accepting clients without end, and the limit of open files."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import socket
import stat
import struct
import sys
import termios
from collections.abc import Callable
from pathlib import Path

__all__ = [
    "DescriptorReserve", "accept_clients", "listen_at_address", "listen_at_path", "spare_descriptors", "undelivered",
]  # fmt: skip

BACKLOG = 512
ACCEPT_PAUSE = 0.05
"""Seconds after a failed accept: out of descriptors, the client stays queued, and a loop would spin."""
CALM = 5.0
"""Seconds without a failure that end a series of failures: at the limit of open files only some accepts fail."""
_SHORTAGES = (errno.EMFILE, errno.ENFILE)


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


def listen_at_address(host: str, port: int) -> socket.socket:
    """Listen at an IPv4 or IPv6 address, or at a name of one; port 0 is any free port.

    Raises:
        OSError: the address cannot be bound.
    """
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def spare_descriptors(count: int) -> bool:
    """Whether this process may open ``count`` more files."""
    opened: list[int] = []
    try:
        while len(opened) < count:
            opened.append(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return error.errno not in _SHORTAGES
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return True


class DescriptorReserve:
    """Open descriptors that are not used: one is closed when a client needs a descriptor and the limit is reached."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._held: list[int] = []
        self.refill()

    def give_up_one(self) -> bool:
        """Close one; False if none is left."""
        if self._held:
            os.close(self._held.pop())
            return True
        return False

    def refill(self) -> None:
        """Open those again that were given up, as far as the limit allows."""
        with contextlib.suppress(OSError):
            while len(self._held) < self._size:
                self._held.append(os.open(os.devnull, os.O_RDONLY))

    def close(self) -> None:
        """Close all of them."""
        self._size = 0
        while self.give_up_one():
            pass


async def accept_clients(
    listener: socket.socket,
    on_client: Callable[[socket.socket], None],
    on_error: Callable[[str | None], None],
    reserve: DescriptorReserve | None = None,
) -> None:
    """Accept clients until cancelled; their sockets are non-blocking.

    ``on_error`` gets the text of the first failure of a series, and None after ``CALM`` seconds without a failure.
    At the limit of open files, ``reserve`` gives up a descriptor for the client.
    """
    loop = asyncio.get_running_loop()
    failed_at: float | None = None
    while True:
        try:
            async with asyncio.timeout_at(None if failed_at is None else failed_at + CALM):
                sock, _ = await loop.sock_accept(listener)
        except TimeoutError:
            failed_at = None
            on_error(None)
            continue
        except OSError as error:
            if error.errno in _SHORTAGES and reserve is not None and reserve.give_up_one():
                continue
            if error.errno != errno.ECONNABORTED:  # the client hung up before it was accepted
                if failed_at is None:
                    on_error((error.strerror or str(error)).lower())
                failed_at = loop.time()
            await asyncio.sleep(ACCEPT_PAUSE)
            continue
        sock.setblocking(False)
        on_client(sock)


_SO_NWRITE = 0x1024  # macOS, sys/socket.h


def undelivered(sock: socket.socket) -> int:
    """Give the number of bytes that the kernel took and the peer's kernel has not confirmed (tcp(7), SIOCOUTQ).

    Of a Unix socket it is what the peer has not read, with the kernel's own overhead. It is 0 where the system cannot
    tell.
    """
    with contextlib.suppress(OSError):
        if sys.platform == "darwin":
            return sock.getsockopt(socket.SOL_SOCKET, _SO_NWRITE)
        (count,) = struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))
        return int(count)
    return 0
