"""Messages on their way to the manager: in blocks on one request, as an argument or as stdin brings them."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from wscli.cli.interrupts import uninterrupted, woken
from wscli.cli.printing import note
from wscli.cli.send.outcomes import Outcomes
from wscli.cli.stdin import NOT_ENTERED, HungUp, chunks
from wscli.control.client import ManagerConnection, ManagerGone, deadline_after, left_until
from wscli.control.protocol import BLOCK_LIMIT, ENDS, result_of, split_block
from wscli.errors import NoInstance, NotSent, OutcomeUnknown, TimedOut, WscliError, error_for

if TYPE_CHECKING:
    from wscli.control.requests import BlockLine, Framing, QueueRequest, SendRequest

__all__ = ["Sender", "blocks_of", "hand_over"]


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
        self.sent = 0
        self.sent_bytes: int | None = None
        """Bytes of the messages that were sent, each a block of its own; None: they are not counted."""
        self.connects: int | None = None
        """How many connections the channel had at the last answer; None: it was not told."""
        self._size = 0
        """Bytes of the block that is under way."""

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
        self._size = len(payload)
        header: BlockLine = {"bytes": len(payload), "framing": framing}
        deadline, whole = deadline_after(self._patience), False
        try:
            whole = self._write(header, payload)
            answer = self._client.answer(timeout=left_until(deadline))
        except (ManagerGone, TimedOut) as error:
            kind = OutcomeUnknown if whole else NotSent
            if whole:
                self._outcomes.lost(len(split_block(payload, framing)))
            raise kind(self._counted(error.message), error.hint) from None
        except KeyboardInterrupt:  # it may have been written whole
            self._outcomes.lost(len(split_block(payload, framing)))
            raise
        with uninterrupted():
            self._take(answer)
            self._outcomes.settled()

    def _write(self, header: BlockLine, payload: bytes) -> bool:
        """Write a block, and say whether all of it was."""
        if self.begun:
            return self._client.send_line(header, payload, timeout=self._patience)
        self.begun = True
        return self._client.start(self.verb, {**self._args, **header}, payload=payload, timeout=self._patience)

    def _take(self, answer: dict[str, Any]) -> None:
        try:
            self.taken(result_of(answer))
        except WscliError as error:
            sent = answer["error"].get(self.outcome, 0)
            self._count(sent if isinstance(sent, int) else 0)
            raise error_for(error.exit_code, self._counted(error.message), error.hint) from None

    def taken(self, result: dict[str, Any]) -> None:
        """Read from an answer how many messages the manager took."""
        self._count(result[self.outcome])
        self.connects = result.get("connects")

    def _count(self, sent: int) -> None:
        self._add(sent, self._size)
        self._outcomes.succeeded(self.outcome, sent)

    def _add(self, sent: int, size: int) -> None:
        self.sent += sent
        if sent and self.sent_bytes is not None:
            self.sent_bytes += size

    def stdin(self) -> Iterator[bytes]:
        """Yield stdin as it arrives, unless the manager ends first.

        Raises:
            NoInstance: it went.
        """
        try:
            yield from chunks(self._client.sock.fileno())  # where it says nothing between two blocks
        except HungUp:
            raise self._gone() from None

    def pause(self, seconds: float) -> None:
        """Wait, unless the manager ends first.

        Raises:
            NoInstance: it went.
        """
        with woken() as wake:
            watched = [one for one in (self._client.sock.fileno(), wake) if one is not None]
            if self._client.sock.fileno() in select.select(watched, [], [], seconds)[0]:
                raise self._gone()

    def _gone(self) -> NoInstance:
        return NoInstance(self._counted("the manager was stopped"), "`wscli up` starts it again")

    def _counted(self, text: str) -> str:
        if not self.sent:
            return text
        size = "" if self.sent_bytes is None else f", {self.sent_bytes} bytes"
        what = "1 message was" if self.sent == 1 else f"{self.sent} messages were"
        return f"{text} ({what} {self.outcome} before{size})"


def hand_over(sender: Sender, message: str | None, framing: Framing) -> None:
    """Send the message, or each of stdin as soon as its end has been read; those that came together go together."""
    if message is not None and message != "-":
        sender.block(os.fsencode(message), "whole")
        return
    sender.open()  # at once, however long stdin takes
    for block in blocks_of(sender.stdin(), framing):
        sender.block(block, framing)


def blocks_of(stdin: Iterable[bytes], framing: Framing) -> Iterator[bytes]:
    """Cut stdin into blocks of messages, each with its end; messages of one read stay in one block.

    Raises:
        NotSent: a message is too large.
    """
    end = ENDS.get(framing)
    pending = bytearray()
    for chunk in stdin:
        cut = chunk.rfind(end) + 1 if end is not None else 0
        if cut:
            yield bytes(pending) + chunk[:cut]
            pending = bytearray(chunk[cut:])
        else:
            pending += chunk
        if len(pending) > BLOCK_LIMIT:
            raise NotSent(f"a message of stdin is over {BLOCK_LIMIT >> 20} MiB", "send it in smaller ones")
    if pending and framing == "line" and sys.stdin.isatty():
        note(NOT_ENTERED)
    elif pending or framing == "whole":
        yield bytes(pending)
