"""Clients that wait for the outcomes of queued messages."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from wscli.control.messages import QueueOutcome

__all__ = ["OutcomeWaiter"]


class OutcomeWaiter:
    """The messages whose outcome one client waits for, and the outcomes that it has not read yet."""

    def __init__(self) -> None:
        self.pending: set[int] = set()
        self._outcomes: list[QueueOutcome] = []
        self._told = asyncio.Event()

    def tell(self, outcomes: Iterable[QueueOutcome]) -> None:
        """Take the outcomes of pending messages; each is told once."""
        mine = [one for one in outcomes if one["id"] in self.pending]
        if mine:
            self.pending.difference_update(one["id"] for one in mine)
            self._outcomes += mine
            self._told.set()

    async def news(self) -> list[QueueOutcome]:
        """Wait for outcomes and return them; an empty list if no message is pending."""
        while not self._outcomes and self.pending:
            self._told.clear()
            await self._told.wait()
        outcomes, self._outcomes = self._outcomes, []
        return outcomes
