"""The client's part of ``send --queue``: messages that the manager puts on the disk, and what becomes of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NoReturn

from wscli.cli.formatting import duration
from wscli.cli.interrupts import uninterrupted
from wscli.cli.send.outcomes import Outcomes
from wscli.cli.send.sender import Sender, hand_over
from wscli.control.client import ANSWER_GRACE, ManagerConnection, ManagerGone, connect_to, not_ready
from wscli.control.protocol import result_of
from wscli.control.selection import Selection
from wscli.errors import ExitCode, NoInstance, NotSent, OutcomeUnknown, TimedOut, UsageError, WscliError

if TYPE_CHECKING:
    from wscli.control.messages import QueueOutcome
    from wscli.control.requests import Framing, QueueRequest

__all__ = ["queue_messages"]

_LISTED = "`wscli outbox ls` lists what is still queued"


class _QueueingSender(Sender):
    verb = "queue"
    outcome = "queued"

    def __init__(self, client: ManagerConnection, args: QueueRequest, patience: float, outcomes: Outcomes) -> None:
        super().__init__(client, args, patience, outcomes)
        self._watches = args.get("watch", False)
        self._pending: dict[int, None] = {}
        """The numbers of those that are queued, in their order."""
        self._failure: WscliError | None = None
        """What the first that came to nothing came to."""

    def taken(self, result: dict[str, Any]) -> None:
        """Count those whose key was known too: they are queued, or were sent, already."""
        count = result["queued"] + result["known"]
        self.sent += count
        for number in range(result["first"], result["first"] + count):
            if self._watches and result["state"] == "queued":
                self._pending[number] = None
            else:
                self._outcomes.queued(number, result["state"], ExitCode.OK)

    def wait(self, timeout: float) -> None:
        """Wait until it is known what became of all that are queued.

        Raises:
            NotSent: the first that came to nothing expired, was rejected, or removed.
            OutcomeUnknown: it expired or was removed, and may have been sent before.
            TimedOut: some are still queued after so many seconds.
            NoInstance: the manager went.
        """
        deadline = time.monotonic() + timeout
        if self._pending:
            self._client.send_line({"outcomes": True}, timeout=timeout)
        while self._pending:
            try:
                answer = self._client.answer(timeout=deadline - time.monotonic())
            except TimedOut:
                hint = "a queued message is sent once the channel is ready; `wscli status` says how it is by now"
                stands = not_ready(Selection(self._client.instance.name), [self._args["channel"]])
                self._give_up(TimedOut(f"{self._still()} still queued after {duration(timeout)}{stands}", hint))
            except ManagerGone:
                text = f"the manager was stopped, and {self._still()} queued, as far as it told"
                self._give_up(NoInstance(text, f"`wscli up` starts it again; {_LISTED}"))
            with uninterrupted():
                for told in result_of(answer)["outcomes"]:
                    self._learn(told)
        if self._failure is not None:
            raise self._failure

    def leave(self, code: int = ExitCode.OK, text: str | None = None) -> None:
        """Tell that the others are queued, where it ends before more is known."""
        for number in self._pending:
            self._outcomes.queued(number, "queued", code, text)
        self._pending.clear()

    def _give_up(self, error: WscliError) -> NoReturn:
        self.leave(error.exit_code, error.message)
        raise self._failure or error from None

    def _learn(self, told: QueueOutcome) -> None:
        number = told["id"]
        self._pending.pop(number, None)
        error = _error(number, told["outcome"], told["reason"])
        self._failure = self._failure or error
        outcome = "rejected" if told["outcome"] == "removed" else told["outcome"]
        code, text = (ExitCode.OK, None) if error is None else (error.exit_code, error.message)
        self._outcomes.queued(number, outcome, code, text)

    def _still(self) -> str:
        count = len(self._pending)
        return f"message {next(iter(self._pending))} is" if count == 1 else f"{count} messages are"


def _error(number: int, outcome: str, reason: str | None) -> WscliError | None:
    because = f": {reason}" if reason else ""
    match outcome:
        case "sent":
            return None
        case "expired":
            return NotSent(f"message {number} expired before it was sent{because}", "a longer --ttl gives it more time")
        case "unknown":
            return OutcomeUnknown(f"message {number} was given up{because}", "`wscli outbox ls` lists what expired")
        case _:
            return NotSent(f"message {number} was {outcome} before it was sent{because}", _LISTED)


def queue_messages(
    selection: Selection, args: QueueRequest, message: str | None, framing: Framing, timeout: float, *, as_json: bool
) -> int:
    """Queue the message, or what stdin has; with ``watch`` wait ``timeout`` seconds until all outcomes are known.

    Raises:
        UsageError: there is a key, and there may be many messages.
    """
    if args.get("key") is not None and framing != "whole":
        raise UsageError("--key goes with one message, and stdin may have many", "give a MESSAGE, or --whole")
    with connect_to(selection, timeout=timeout) as client:
        sender = _QueueingSender(client, args, timeout + ANSWER_GRACE, Outcomes(args["channel"], enabled=as_json))
        try:
            try:
                hand_over(sender, message, framing)
            except WscliError:
                sender.leave()
                raise
            if args.get("watch"):
                sender.wait(timeout)
        except KeyboardInterrupt:
            sender.leave(ExitCode.INTERRUPTED, "interrupted")
            raise
    return 0
