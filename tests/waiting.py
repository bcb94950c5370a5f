"""Waits for what wakes nobody in the test, and what several tests ask of this process."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeVar

import psutil

__all__ = ["descriptors", "eventually", "in_thread", "opened", "until", "with_more_time"]

T = TypeVar("T")


def until(condition: Callable[[], T], timeout: float = 60.0) -> T:
    """Poll another process or thread until a condition holds, and return its value; AssertionError otherwise."""
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {timeout} s"
        time.sleep(0.005)
    return found


def with_more_time(attempt: Callable[[float], T], seconds: float) -> T:
    """Make attempts with a deadline that is to pass, each longer than the last, until one gives a true value.

    For what a deadline ends: on a busy machine it may pass before the attempt is where the test wants it.
    """
    while not (found := attempt(seconds)):
        assert seconds < 15.0, f"not with {seconds:g} s"
        seconds *= 4
    return found


async def eventually(condition: Callable[[], object], timeout: float = 60.0) -> None:
    """Let the loop turn until a condition holds."""
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110 - nothing tells when it holds
            await asyncio.sleep(0.001)


def descriptors() -> int:
    """Count the open descriptors of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def opened() -> Counter[str]:
    """Count the open descriptors of this process by what they lead to; of sockets only those with an address.

    What `opened() - before` gives was opened since then: descriptors of earlier tests that are closed meanwhile do not
    count, nor does what a test's event loop has, which are an epoll and sockets without an address.
    """
    addressed = {one.fd for one in psutil.Process().net_connections("all") if one.laddr}
    links: Counter[str] = Counter()
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of this listing itself, and what is closed meanwhile
            link = str(path.readlink())
            if int(path.name) in addressed or not link.startswith(("socket:", "anon_inode:[eventpoll]")):
                links[link] += 1
    return links


def in_thread(make: Callable[[], AbstractAsyncContextManager[T]]) -> Iterator[T]:
    """Open a context in the loop of another thread, for a fixture whose tests block."""
    opened: list[T] = []
    ready, loop, ended = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def run() -> None:
        async with make() as it:
            opened.append(it)
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()))
    thread.start()
    assert ready.wait(30)
    yield opened[0]
    loop.call_soon_threadsafe(ended.set)
    thread.join(30)
    loop.close()
