"""Holds dials back while the process is out of file descriptors."""

from __future__ import annotations

import asyncio
import resource
from collections import deque
from collections.abc import Callable

from wscli.sockets import spare_descriptors
from wscli.timing import OneShot, Schedule, call_later

__all__ = ["DescriptorLimit"]

SPARE = 8
"""Descriptors that must be free for a dial: its socket, name lookups, certificates, and what others open meanwhile."""
LOOK = 1.0
"""Seconds between two looks whether enough are free."""
NEXT = 0.05
"""Seconds after a dial was let in: by then it has opened what it needs."""


class DescriptorLimit:
    """Lets dials in one after another, in their order, once enough descriptors are free.

    Args:
        report: called with a problem while dials wait, and with None once none does.
        schedule: timers.
        enough: whether so many descriptors are free.
    """

    def __init__(
        self,
        report: Callable[[str | None], None],
        *,
        schedule: Schedule = call_later,
        enough: Callable[[int], bool] = spare_descriptors,
    ) -> None:
        self._report = report
        self._enough = enough
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._timer = OneShot(schedule)

    async def room(self, progress: Callable[[str, str], None]) -> None:
        """Return once a dial may open files; ``progress`` is told where that takes long."""
        if not self._waiting and self._enough(SPARE):
            return
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        words = f"out of file descriptors: the limit is {most}"
        progress("descriptors", f"{words}; waiting until some are free")
        self._report(f"{words}; dials wait until some are free; LimitNOFILE= of a unit or `ulimit -Hn` raises it")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        if not self._timer.pending:
            self._timer.start(LOOK, self._look)
        try:
            await turn
        finally:
            if turn in self._waiting:
                self._waiting.remove(turn)
            if not self._waiting:
                self._timer.cancel()
                self._report(None)

    def _look(self) -> None:
        enough = self._enough(SPARE)
        self._timer.start(NEXT if enough else LOOK, self._look)
        turn = next((one for one in self._waiting if not one.done()), None)  # one that was cancelled leaves by itself
        if enough and turn is not None:
            self._waiting.remove(turn)
            turn.set_result(None)
