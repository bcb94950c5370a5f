"""The newest messages of a history, whatever keeps it."""

from __future__ import annotations

import asyncio
from collections import deque

from wscli.history.engine import History
from wscli.history.records import Batch, Position

__all__ = ["MOST_BYTES", "recent"]

MOST_BYTES = 8 << 20


async def recent(history: History, upto: int, count: int) -> list[Batch]:
    """Give the messages up to a number, ``count`` and ``MOST_BYTES`` of them at most, and as far as they are kept.

    What an engine has to fetch first is waited for; the caller bounds the wait.
    """
    first = max(history.first, upto - count + 1)
    if first > upto:
        return []
    cursor = history.seek_after(Position(history.epoch, first - 1)).cursor
    found: deque[Batch] = deque()
    woken = asyncio.Event()
    unsubscribe = history.subscribe(woken.set)
    try:
        while cursor.seq < upto:
            woken.clear()
            next_ = history.read(cursor)
            if next_ is None:
                await woken.wait()
                continue
            cursor = next_.cursor
            if isinstance(next_.item, Batch):
                found.append(next_.item.part(first, upto))
                while len(found) > 1 and sum(batch.size for batch in found) > MOST_BYTES:
                    found.popleft()
    finally:
        unsubscribe()
    return list(found)
