"""Waiting for a condition that changes only when it is said to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

__all__ = ["Waiters"]


class Waiters:
    """Tasks that wait for conditions; those whose condition holds go on in the order in which they came."""

    def __init__(self) -> None:
        self._looks: dict[Callable[[], None], None] = {}

    def look(self) -> None:
        """Look at every condition."""
        for look in tuple(self._looks):
            look()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds as ``look`` is called; the caller bounds the wait."""
        if condition():
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def look() -> None:
            if not done.done() and condition():
                done.set_result(None)

        self._looks[look] = None
        try:
            await done
        finally:
            del self._looks[look]
