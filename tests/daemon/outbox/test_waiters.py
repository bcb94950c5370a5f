"""A client that waits for outcomes is told each once."""

from __future__ import annotations

from wscli.daemon.outbox.messages import Outcome
from wscli.daemon.outbox.waiters import OutcomeWaiter


async def test_each_pending_outcome_is_told_once_and_no_other() -> None:
    waiter = OutcomeWaiter()
    waiter.pending.update([1, 2])
    waiter.pending.update([1])
    waiter.tell([Outcome(1, "sent"), Outcome(3, "sent")])
    waiter.tell([Outcome(1, "sent")])
    assert await waiter.news() == [Outcome(1, "sent")]
    assert waiter.pending == {2}
