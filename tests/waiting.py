"""Waits for what wakes nobody in the test, and what several tests ask of this process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

__all__ = ["descriptors", "eventually", "until"]

T = TypeVar("T")


def until(condition: Callable[[], T], timeout: float = 30.0) -> T:
    """Poll another process or thread until a condition holds, and return its value; AssertionError otherwise."""
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {timeout} s"
        time.sleep(0.005)
    return found


async def eventually(condition: Callable[[], object], timeout: float = 30.0) -> None:
    """Let the loop turn until a condition holds."""
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110 - nothing tells when it holds
            await asyncio.sleep(0.001)


def descriptors() -> int:
    """Count the open descriptors of this process."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
