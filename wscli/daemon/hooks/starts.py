"""When a process may be started: the loop stands still for a millisecond or two at each start."""

from __future__ import annotations

import asyncio

__all__ = ["APART", "Starts"]

APART = 0.005
"""Seconds between two starts, over all hooks of a manager: most of the time stays everybody else's."""


class Starts:
    """Lets one after the other pass, in the order in which they came, ``APART`` seconds apart."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._next = 0.0

    async def turn(self) -> None:
        """Wait until the next process may be started."""
        loop = asyncio.get_running_loop()
        async with self._lock:
            await asyncio.sleep(max(0.0, self._next - loop.time()))
            self._next = loop.time() + APART
