"""Who waits to be told what became of messages in the outbox."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from wscli.outbox.books import Fate

__all__ = ["Watch", "Watches"]


class Watch:
    """The messages that one client waits for, and what it was not told yet."""

    def __init__(self) -> None:
        self.pending: set[int] = set()
        self._fates: list[Fate] = []
        self._heard = asyncio.Event()

    def hear(self, fate: Fate) -> None:
        """Take what became of one."""
        self.pending.discard(fate.id)
        self._fates.append(fate)
        self._heard.set()

    async def news(self) -> list[Fate]:
        """Give what became of some, once there is any; an empty list where nothing is left to wait for."""
        while not self._fates and self.pending:
            self._heard.clear()
            await self._heard.wait()
        fates, self._fates = self._fates, []
        return fates


class Watches:
    """Every watch, by the messages that it waits for."""

    def __init__(self) -> None:
        self._by_message: dict[int, list[Watch]] = {}

    def add(self, watch: Watch, messages: Iterable[int]) -> None:
        """Have a watch told of messages, once of each."""
        for message in set(messages) - watch.pending:
            watch.pending.add(message)
            self._by_message.setdefault(message, []).append(watch)

    def remove(self, watch: Watch) -> None:
        """Tell it of nothing more."""
        for message in watch.pending:
            watches = self._by_message[message]
            watches.remove(watch)
            if not watches:
                del self._by_message[message]
        watch.pending.clear()

    def tell(self, fates: Iterable[Fate]) -> None:
        """Pass on what became of messages."""
        for fate in fates:
            for watch in self._by_message.pop(fate.id, ()):
                watch.hear(fate)
