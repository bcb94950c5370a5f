"""Messages on their way to the manager: in blocks on one request, as an argument or as stdin brings them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from wscli.cli.printing import note
from wscli.cli.send.outcomes import Outcomes
from wscli.cli.stdin import NOT_ENTERED, HungUp, chunks
from wscli.control.client import ManagerConnection, ManagerGone, deadline_after, left_until
from wscli.control.protocol import BLOCK_LIMIT, ENDS, result_of, split_block
from wscli.errors import NoInstance, NotSent, OutcomeUnknown, TimedOut, WscliError, error_for

if TYPE_CHECKING:
    from wscli.control.requests import BlockLine, Framing, QueueRequest, SendRequest

__all__ = ["Sender", "hand_over"]


class Sender:
    """Sends block after block on one request, and keeps count."""

    verb = "send"
    outcome = "sent"
    """What becomes of a message that nothing goes wrong with: the key of the manager's answers, too."""

    def __init__(
        self,
        client: ManagerConnection,
        args: SendRequest | QueueRequest,
        patience: float,
        outcomes: Outcomes | None = None,
    ) -> None:
        self._client = client
        self._args = args
        self._patience = patience
        self._outcomes = outcomes or Outcomes("", enabled=False)
        self.begun = False
        self._sent = 0

    def open(self) -> None:
        """Ask whether there is such a channel, before there is anything to send."""
        self._client.request(self.verb, self._args, timeout=self._patience)
        self.begun = True

    def block(self, payload: bytes, framing: Framing) -> None:
        """Send one block, and wait until the manager has sent all of it.

        Raises:
            NotSent: and its siblings, as the manager answered, for the first message that failed.
            OutcomeUnknown: the manager took it, and never answered.
        """
        with self._outcomes.reporting():
            self._send_block(payload, framing)

    def _send_block(self, payload: bytes, framing: Framing) -> None:
        if len(payload) > BLOCK_LIMIT:
            raise NotSent(
                f"a message of {len(payload)} bytes is over {BLOCK_LIMIT >> 20} MiB", "send it in smaller ones"
            )
        header: BlockLine = {"bytes": len(payload), "framing": framing}
        deadline = deadline_after(self._patience)
        if self.begun:
            whole = self._client.send_line(header, payload, timeout=self._patience)
        else:
            whole = self._client.start(self.verb, {**self._args, **header}, payload=payload, timeout=self._patience)
            self.begun = True
        try:
            answer = self._client.answer(timeout=left_until(deadline))
        except (ManagerGone, TimedOut) as error:
            kind = OutcomeUnknown if whole else NotSent
            if whole:
                self._outcomes.lost(len(split_block(payload, framing)))
            raise kind(self._counted(error.message), error.hint) from None
        try:
            self.taken(result_of(answer))
        except WscliError as error:
            sent = answer["error"].get(self.outcome, 0)
            self._count(sent if isinstance(sent, int) else 0)
            raise error_for(error.exit_code, self._counted(error.message), error.hint) from None

    def taken(self, result: dict[str, Any]) -> None:
        """Read from an answer how many messages the manager took."""
        self._count(result[self.outcome])

    def _count(self, sent: int) -> None:
        self._sent += sent
        self._outcomes.succeeded(self.outcome, sent)

    def stdin(self) -> Iterator[bytes]:
        """Yield stdin as it arrives, unless the manager ends first.

        Raises:
            NoInstance: it went.
        """
        try:
            yield from chunks(self._client.sock.fileno())  # where it says nothing between two blocks
        except HungUp:
            raise NoInstance(self._counted("the manager was stopped"), "`wscli up` starts it again") from None

    def _counted(self, text: str) -> str:
        if not self._sent:
            return text
        return f"{text} ({'1 message was' if self._sent == 1 else f'{self._sent} messages were'} {self.outcome} before)"


def hand_over(sender: Sender, message: str | None, framing: Framing) -> None:
    """Send the message, or each of stdin as soon as its end has been read; those that came together go together."""
    if message is not None and message != "-":
        sender.block(os.fsencode(message), "whole")
        return
    sender.open()  # at once, however long stdin takes
    end = ENDS.get(framing)
    pending = bytearray()
    for chunk in sender.stdin():
        cut = chunk.rfind(end) + 1 if end is not None else 0
        if cut:
            sender.block(bytes(pending) + chunk[:cut], framing)
            pending = bytearray(chunk[cut:])
        else:
            pending += chunk
        if len(pending) > BLOCK_LIMIT:
            raise NotSent(f"a message of stdin is over {BLOCK_LIMIT >> 20} MiB", "send it in smaller ones")
    if pending and framing == "line" and sys.stdin.isatty():
        note(NOT_ENTERED)
    elif pending or framing == "whole":
        sender.block(bytes(pending), framing)
