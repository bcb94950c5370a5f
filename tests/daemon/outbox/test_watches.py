"""Who waits is told once of each message."""

from __future__ import annotations

from wscli.daemon.outbox.watches import Watch, Watches
from wscli.outbox.books import Fate


async def test_who_asks_twice_of_one_message_is_told_once() -> None:
    watches, watch = Watches(), Watch()
    watches.add(watch, [1, 2])
    watches.add(watch, [1])
    watches.tell([Fate(1, "sent")])
    assert await watch.news() == [Fate(1, "sent")]
    watches.remove(watch)
    assert watches._by_message == {}
