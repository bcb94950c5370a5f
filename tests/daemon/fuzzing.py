"""What the fuzzers of sockets share: a server beside the test, and a conversation with it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

__all__ = ["converse", "in_a_thread"]

T = TypeVar("T")


@contextmanager
def in_a_thread(server: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Run a server in a loop of a thread of its own, for tests that block."""
    started: list[T] = []
    ready, loop, ended = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def run() -> None:
        async with server as it:
            started.append(it)
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert ready.wait(30)
    yield started[0]
    loop.call_soon_threadsafe(ended.set)
    thread.join(30)
    loop.close()


def converse(sock: socket.socket, data: bytes) -> bytes:
    """Send everything, hang up the sending side, and give the answer until the server hangs up."""
    answer = b""
    with sock:
        try:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while chunk := sock.recv(1 << 16):
                answer += chunk
        except (BrokenPipeError, ConnectionResetError):
            pass  # it hung up with some of this unread, as it may
    return answer
