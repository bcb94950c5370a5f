"""The newest messages of a history, as batches."""

from __future__ import annotations

import asyncio
from collections import deque

from wscli.history.memory import History
from wscli.history.records import Batch, Position

__all__ = ["SCAN_BYTES", "messages_before"]

SCAN_BYTES = 8 << 20


async def messages_before(history: History, upto: int, count: int) -> list[Batch]:
    """Return the kept messages up to a number: at most ``count``, and ``SCAN_BYTES`` of them.

    It waits for what the log has to read; the caller bounds the wait.
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
                while len(found) > 1 and sum(batch.size for batch in found) > SCAN_BYTES:
                    found.popleft()
    finally:
        unsubscribe()
    return list(found)
