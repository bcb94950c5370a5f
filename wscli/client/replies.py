"""The reply to a message that was sent: which one it is, and what to say where it does not come."""

from __future__ import annotations

import time
from collections.abc import Callable

from wscli.client.matching import Expression, Match, matcher
from wscli.client.messages import Gap, Message
from wscli.control.messages import SendReceipt
from wscli.errors import ChannelUnavailable, NoInstance, OutcomeUnknown, TimedOut

__all__ = ["PendingReply"]


class PendingReply:
    """A reply that is awaited. It remembers what else arrived, to explain a missing reply.

    Args:
        match: what the reply is.
        handed: the receipt of the message; messages before it are not replies.
        channel: where it comes from.
        called: what errors call it.
        timeout: seconds that were given for all of it.
        wall: seconds since the epoch.

    """

    def __init__(
        self,
        match: Match,
        handed: SendReceipt,
        *,
        channel: str,
        called: str,
        timeout: float,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._matches = matcher(match, handed["ref"])
        self._epoch, _, last = handed["after"].rpartition(":")
        self._before = int(last)
        self._began = wall()
        self._what = f"no {called} on {channel!r}"
        self._timeout = timeout
        self._others = 0
        self._interrupted = False
        self._missed = 0

    def is_reply(self, item: Message | Gap) -> bool:
        """Say whether this is it."""
        if isinstance(item, Gap):
            self._interrupted |= item.end is not None and item.end >= self._began
            self._missed += item.missed or 0
            return False
        if item.epoch == self._epoch and item.seq <= self._before:
            return False
        if self._matches(item):
            return True
        self._others += 1
        return False

    def overdue(self) -> TimedOut:
        """Make the error of a reply that did not come in time."""
        return TimedOut(f"{self._what} within {self._timeout:g} s", "; ".join(self._clues()))

    def done(self) -> ChannelUnavailable:
        """Make the error of a channel that was done before the reply came."""
        return ChannelUnavailable(f"{self._what}: the channel is done")

    def gone(self, error: NoInstance) -> OutcomeUnknown:
        """Make the error of a manager that went before the reply came: the message may well have been acted on."""
        return OutcomeUnknown(f"{self._what}: {error.message}", error.hint)

    def _clues(self) -> list[str]:
        clues = []
        if self._interrupted:
            clues.append("the connection was lost meanwhile, and perhaps the answer with it")
        if self._missed:
            clues.append(f"this reader fell behind and missed {_messages(self._missed)}")
        if self._others:
            clues.append(f"{_messages(self._others)} came instead")
            if isinstance(self._matches, Expression) and self._matches.failed:
                clues.append(f"the expression fails on some: {self._matches.failed}")
        return clues or ["a longer timeout waits longer"]


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"
