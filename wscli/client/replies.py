"""The reply to a message that was sent: which one it is, by a function or a jq expression, and what to say without."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import lru_cache

from wscli.client.messages import Gap, Message
from wscli.control.messages import SendReceipt, Status
from wscli.control.requests import Ref
from wscli.control.text import state_text
from wscli.errors import ChannelUnavailable, NoInstance, OutcomeUnknown, TimedOut, UsageError
from wscli.expressions.compiled import InvalidExpression, check_expression, is_json
from wscli.expressions.evaluator import EvaluationTimedOut, holding, warm_up

__all__ = ["Expression", "Match", "PendingReply", "check_match", "matcher"]

Match = Callable[[Message], bool] | str


def check_match(match: Match, *, refers: bool) -> None:
    """Refuse an invalid expression before anything is sent; ``$ref`` is defined if the message refers.

    Raises:
        UsageError: the expression does not compile.
    """
    if isinstance(match, str):
        try:
            check_expression(match, ("ref",) if refers else ())
            warm_up(match)
        except InvalidExpression as error:
            hint = f"it reads {match!r}"
            if str(error).startswith("$ref "):
                hint += "; $ref is what {ref.int}, {ref.str} or {ref.uuid} in the message became"
            raise UsageError(f"the expression does not compile: {error}", hint) from None


def matcher(match: Match, ref: Ref | None = None) -> Callable[[Message], bool]:
    """Return the function; an expression matches a message if any of its results is neither false nor null.

    It sees the parsed message, and ``ref`` as ``$ref``. It never matches a message that is not JSON, or that it fails
    on.

    Raises:
        UsageError: the expression does not compile.
    """
    if not isinstance(match, str):
        return match
    check_match(match, refers=ref is not None)
    return Expression(_condition(match) if ref is None else holding(match, {"ref": ref}))


class Expression:
    """A jq expression that matches messages."""

    def __init__(self, condition: Callable[[str, float | None], bool]) -> None:
        self.failed = ""
        """The reason of its last failure."""
        self._condition = condition

    def __call__(self, message: Message, deadline: float | None = None) -> bool:
        """Say whether it matches a message.

        Raises:
            EvaluationTimedOut: it takes longer than until ``deadline``, by ``time.monotonic``.
        """
        if not isinstance(message.data, str) or not is_json(message.data):
            return False
        try:
            return self._condition(message.data, deadline)
        except ValueError as error:  # jq's own: the expression failed, or its parser is stricter than Python's
            self.failed = str(error)
            return False


@lru_cache(64)  # compiling takes milliseconds, and a program makes the same requests again and again
def _condition(expression: str) -> Callable[[str, float | None], bool]:
    return holding(expression)


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

    @property
    def evaluates(self) -> bool:
        """Whether jq says it, which may take until the deadline."""
        return isinstance(self._matches, Expression)

    def is_reply(self, item: Message | Gap, deadline: float | None = None) -> bool:
        """Say whether this is it.

        Raises:
            TimedOut: an expression takes longer than until ``deadline``, by ``time.monotonic``.
        """
        if isinstance(item, Gap):
            self._interrupted |= item.end is not None and item.end >= self._began
            self._missed += item.missed or 0
            return False
        if item.epoch == self._epoch and item.seq <= self._before:
            return False
        if isinstance(self._matches, Expression):
            try:
                found = self._matches(item, deadline)
            except EvaluationTimedOut:
                raise self.overdue() from None
        else:
            found = self._matches(item)
        if found:
            return True
        self._others += 1
        return False

    def overdue(self, states: Sequence[Status] = ()) -> TimedOut:
        """Make the error of a reply that did not come in time; ``states`` is the channel's own by now."""
        stands = "".join(f"; {one['channel']} is {state_text(one)}" for one in states if one["state"] != "ready")
        return TimedOut(f"{self._what} within {self._timeout:g} s{stands}", "; ".join(self._clues()))

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
