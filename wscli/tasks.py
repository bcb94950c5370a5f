"""Every task has an owner: nothing is started beside this, and everything started ends with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn, TypeVar

__all__ = ["Tasks", "unless"]

logger = logging.getLogger("wscli.manager")

T = TypeVar("T")


class Tasks:
    """A set of running tasks that is cancelled and awaited as a whole.

    ``on_crash`` of ``spawn`` is told the exception of a task that failed, so that its owner states it; the other tasks
    go on.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def spawn(
        self, work: Coroutine[Any, Any, Any], *, name: str, on_crash: Callable[[BaseException], None] | None = None
    ) -> asyncio.Task[Any]:
        """Start a task, keep it until it ends, and hand its failure on."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)

        def ended(task: asyncio.Task[Any]) -> None:
            self._running.discard(task)
            if not task.cancelled():
                error = task.exception()
            else:  # an error as well, unless it was requested
                error = None if task.cancelling() else asyncio.CancelledError("cancelled without a request")
            if error is not None:
                logger.error("task %s failed: %r", name, error, exc_info=error)
                if on_crash is not None:
                    on_crash(error)

        task.add_done_callback(ended)
        return task

    async def close(self) -> None:
        """Cancel every task, and wait until each has ended."""
        while self._running:
            running = list(self._running)
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)


async def unless(work: Coroutine[Any, Any, T], interruption: Coroutine[Any, Any, NoReturn]) -> T:
    """Await work, and cancel it where the interruption raises first; that is raised then."""
    doing, interrupted = asyncio.ensure_future(work), asyncio.ensure_future(interruption)
    try:
        await asyncio.wait({doing, interrupted}, return_when=asyncio.FIRST_COMPLETED)
        return doing.result() if doing.done() else interrupted.result()
    finally:
        doing.cancel()
        interrupted.cancel()
        await asyncio.wait({doing, interrupted})
