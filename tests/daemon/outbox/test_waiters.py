"""A client that waits for outcomes is told each once."""

from __future__ import annotations

from wscli.control.messages import QueueOutcome
from wscli.daemon.outbox.waiters import OutcomeWaiter


async def test_each_pending_outcome_is_told_once_and_no_other() -> None:
    waiter = OutcomeWaiter()
    waiter.pending.update([1, 2])
    waiter.pending.update([1])
    first, other = (QueueOutcome(id=number, outcome="sent", reason=None) for number in (1, 3))
    waiter.tell([first, other])
    waiter.tell([first])
    assert await waiter.news() == [first]
    assert waiter.pending == {2}
