"""Which channels have a delivery: those that have something queued."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from wscli.daemon.outbox.delivery import RETRY, Delivery
from wscli.daemon.outbox.file import OutboxFile
from wscli.errors import WscliError

if TYPE_CHECKING:
    from wscli.daemon.registry.manager import Manager

__all__ = ["Deliveries"]

SETTLE = 1.0
"""Seconds for a message that is being sent when the manager is to end."""


class Deliveries:
    """A task for each channel that has something queued, as ``queued`` says of a name."""

    def __init__(self, manager: Manager, file: OutboxFile, queued: Callable[[str], int]) -> None:
        self._manager = manager
        self._file = file
        self._queued = queued
        self._running: dict[str, tuple[Delivery, asyncio.Task[None]]] = {}
        self._crashed: dict[str, asyncio.TimerHandle] = {}
        """Those that failed by a fault of ours, until they are tried again."""
        self._ending = False

    def look(self, name: str) -> None:
        """Bring the delivery of a channel in line with what is queued now."""
        delivery, task = self._running.get(name, (None, None))
        if self._queued(name):
            if task is None and name not in self._crashed and not self._ending:
                self._begin(name)
            return
        self._manager.problems.mended(_problem(name))
        if delivery is not None and task is not None and not delivery.sending:
            task.cancel()

    async def settle(self) -> None:
        """Begin no further message, and wait a moment for those that are being sent to be marked as what they are."""
        self._ending = True
        for timer in self._crashed.values():
            timer.cancel()
        for delivery, task in self._running.values():
            delivery.ending = True
            if not delivery.sending:
                task.cancel()
        if self._running:
            await asyncio.wait([task for _, task in self._running.values()], timeout=SETTLE)

    def _begin(self, name: str) -> None:
        def crashed(error: BaseException) -> None:
            self._manager.problems.state(_problem(name), f"delivery stopped: {error}; tried again in {RETRY:g} s")
            self._crashed[name] = asyncio.get_running_loop().call_later(RETRY, again)

        def again() -> None:
            del self._crashed[name]
            self.look(name)

        def ended(task: asyncio.Task[None]) -> None:
            del self._running[name]
            self.look(name)

        try:
            channel = self._manager.channel(name)
        except WscliError:
            return  # it left the configuration: what it has stays listed
        delivery = Delivery(
            channel,
            self._file,
            self._manager.problems,
            self._manager.clock,
            queued=lambda: self._queued(name),
            on_progress=lambda: self._manager.problems.mended(_problem(name)),
        )
        task = self._manager.tasks.spawn(delivery.run(), name=f"outbox {name}", on_crash=crashed)
        self._running[name] = delivery, task
        task.add_done_callback(ended)


def _problem(name: str) -> str:
    return f"outbox of {name}"
