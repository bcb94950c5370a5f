"""A fixture in the loop of another thread, for tests that block."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

__all__ = ["in_thread"]

T = TypeVar("T")


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
