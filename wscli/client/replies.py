"""The reply to a message that was sent: which one it is, by a function or a jq expression, and what to say without."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from shlex import quote
from typing import NamedTuple

from wscli.client.messages import Gap, Message
from wscli.control.messages import SendReceipt, Status
from wscli.control.requests import PLACEHOLDER, Ref
from wscli.control.requests import refers as has_references
from wscli.control.text import state_text
from wscli.errors import ChannelUnavailable, NoInstance, OutcomeUnknown, TimedOut, UsageError
from wscli.expressions.compiled import InvalidExpression, check_expression, compile_condition, is_json
from wscli.expressions.evaluator import EvaluationTimedOut, holding, warm_up

__all__ = ["Expression", "Match", "PendingReply", "RawMatch", "check_match", "matcher"]


class RawMatch(NamedTuple):
    """A regex, as jq has them, that is found in the text of a message, JSON or not."""

    regex: str
    """With the references of the message that is sent, which become what they became there."""

    def filled(self, ref: Ref | None) -> str:
        """Give the regex with a value, as literal text, in place of its references."""
        if ref is None:
            return self.regex
        literal = re.sub(r"[^\w]", r"\\\g<0>", str(ref))
        return PLACEHOLDER.sub(lambda found: found[0][1:] if found["escape"] else literal, self.regex)


Match = Callable[[Message], bool] | str | RawMatch
_FOUND = "test($regex)"


def check_match(match: Match, *, refers: bool) -> None:
    """Refuse an invalid expression before anything is sent; ``$ref`` is defined if the message refers.

    Raises:
        UsageError: the expression does not compile.
    """
    if isinstance(match, RawMatch):
        _check_regex(match, refers=refers)
    elif isinstance(match, str):
        try:
            check_expression(match, ("ref",) if refers else ())
            warm_up(match)
        except InvalidExpression as error:
            hint = f"it reads {match!r}"
            if str(error).startswith("$ref "):
                hint += "; $ref is what {ref.int}, {ref.str} or {ref.uuid} in the message became"
            raise UsageError(f"the expression does not compile: {error}", hint) from None


def _check_regex(match: RawMatch, *, refers: bool) -> None:
    if has_references(match.regex) and not refers:
        raise UsageError(
            f"the regex {match.regex!r} has a reference, and the message has none", "send {ref.int} or the like in it"
        )
    try:
        compile_condition(_FOUND, {"regex": match.filled(0)})('""')
        warm_up(_FOUND)
    except ValueError as error:
        reason = str(error).partition(": ")[2] or str(error)
        raise UsageError(f"invalid regex: {match.regex!r}: {reason}", "a regex is one of jq's `test`") from None


def matcher(match: Match, ref: Ref | None = None) -> Callable[[Message], bool]:
    """Return the function; an expression matches a message if any of its results is neither false nor null.

    It sees the parsed message, and ``ref`` as ``$ref``. It never matches a message that is not JSON, or that it fails
    on.

    Raises:
        UsageError: the expression does not compile.
    """
    if not isinstance(match, (str, RawMatch)):
        return match
    check_match(match, refers=ref is not None)
    if isinstance(match, RawMatch):
        return Expression(holding(_FOUND, {"regex": match.filled(ref)}), raw=True)
    return Expression(_condition(match) if ref is None else holding(match, {"ref": ref}))


class Expression:
    """A jq expression that matches messages; ``raw``: their text, instead of the JSON that it is."""

    def __init__(self, condition: Callable[[str, float | None], bool], *, raw: bool = False) -> None:
        self.failed = ""
        """The reason of its last failure."""
        self.called = "regex" if raw else "expression"
        self._condition = condition
        self._raw = raw

    def __call__(self, message: Message, deadline: float | None = None) -> bool:
        """Say whether it matches a message.

        Raises:
            EvaluationTimedOut: it takes longer than until ``deadline``, by ``time.monotonic``.
        """
        data = message.data
        if self._raw:
            data = json.dumps(data if isinstance(data, str) else data.decode(errors="replace"))
        elif not isinstance(data, str) or not is_json(data):
            return False
        try:
            return self._condition(data, deadline)
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
        self._channel = channel
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
        stands = [f"{one['channel']} is {state_text(one)}" for one in states if one["state"] != "ready"]
        hint = "a longer timeout waits longer"
        if self._others:
            hint = f"`wscli tail {quote(self._channel)} --last {self._others:d} --no-follow` shows what came instead"
        return TimedOut("; ".join([f"{self._what} within {self._timeout:g} s", *stands, *self._clues()]), hint)

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
                clues.append(f"the {self._matches.called} fails on some: {self._matches.failed}")
        return clues


def _messages(count: int) -> str:
    return "1 message" if count == 1 else f"{count} messages"
