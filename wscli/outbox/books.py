"""What is known of the messages without asking the file: how many there are, and what became of them.

Each entry belongs to a transaction, and is taken back with it.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["NOTHING", "Books", "Counts", "Fate", "Outcome"]

Counts = dict[str, int]
"""How many messages a channel has: ``queued``, ``expired``, ``rejected``."""
NOTHING: Counts = {"queued": 0, "expired": 0, "rejected": 0}
Outcome = Literal["sent", "expired", "rejected", "removed", "unknown"]


class Fate(NamedTuple):
    """What became of a message: ``unknown`` is one that expired or was removed, and may have been sent before."""

    id: int
    outcome: Outcome
    reason: str | None = None


class Books:
    """Counts and fates. Keys that are remembered are counted as ``sent``, and are no messages any more."""

    def __init__(self) -> None:
        self.messages = 0
        self.size = 0
        self.keys = 0
        self._channels: dict[str, Counts] = {}
        self._entries: list[tuple[str, str, int, int]] = []
        self._fates: list[Fate] = []

    def count(self, channel: str, state: str, messages: int, size: int = 0) -> None:
        """Count so many messages more, or fewer, of so many bytes together."""
        self._apply(channel, state, messages, size)
        self._entries.append((channel, state, messages, size))

    def tell(self, fate: Fate) -> None:
        """Keep what became of a message."""
        self._fates.append(fate)

    def mark(self) -> tuple[int, int]:
        """Give where the books stand, for ``undo``."""
        return len(self._entries), len(self._fates)

    def undo(self, mark: tuple[int, int]) -> None:
        """Take back what was entered since."""
        entries, fates = mark
        for channel, state, messages, size in self._entries[entries:]:
            self._apply(channel, state, -messages, -size)
        del self._entries[entries:]
        del self._fates[fates:]

    def take(self) -> tuple[dict[str, Counts], list[Fate]]:
        """Give the counts of the channels that changed, and the fates, since this was asked last."""
        changed = {entry[0] for entry in self._entries if entry[1] != "sent"}
        fates, self._fates = self._fates, []
        self._entries.clear()
        return {name: dict(self._channels.get(name, NOTHING)) for name in changed}, fates

    def _apply(self, channel: str, state: str, messages: int, size: int) -> None:
        if state == "sent":
            self.keys += messages
            return
        self.messages += messages
        self.size += size
        counts = self._channels.setdefault(channel, dict(NOTHING))
        counts[state] += messages
        if counts == NOTHING:
            del self._channels[channel]
