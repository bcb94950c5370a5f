"""``wscli send``: one message, or one a line of stdin."""

from __future__ import annotations

import contextlib
import os
import select
import sys
from typing import TYPE_CHECKING, Any

import click

from wscli.cli.options import DURATION, channel_argument, json_option, timeout_option, with_instance
from wscli.cli.outcomes import Outcomes
from wscli.control.client import Client, ManagerGone, connect
from wscli.control.protocol import BLOCK_LIMIT, result_of
from wscli.control.selection import Selection
from wscli.errors import NoInstance, NotSent, OutcomeUnknown, TimedOut, UsageError, WscliError, error_for

if TYPE_CHECKING:
    from wscli.control.messages import Block, Framing

_CHUNK = 1 << 16
_ENDS = {"line": b"\n", "nul": b"\0"}
PATIENCE = 10.0
"""Seconds beyond the message's own deadline for the manager to say how it went."""


def send(
    selection: Selection,
    channel: str,
    message: str | None,
    *,
    binary: bool,
    framing: Framing,
    timeout: float,
    ack: str | None = None,
    as_json: bool = False,
) -> int:
    """Send the message, or what stdin has."""
    args = {"channel": channel, "binary": binary, "timeout": timeout}
    outcomes = Outcomes(channel, enabled=as_json)
    with outcomes.telling() if framing == "whole" else contextlib.nullcontext(), connect(selection) as client:
        hand_over(_sender(selection, client, args, outcomes, ack), message, framing)
    return 0


def hand_over(sender: Sender, message: str | None, framing: Framing) -> None:
    """Give a sender the message, or what stdin has."""
    if message is not None and message != "-":
        sender.block(os.fsencode(message), "whole")
    elif framing == "whole":
        sender.block(sys.stdin.buffer.read(), "whole")
    else:
        sender.begin()
        _stream_stdin(sender, framing)


def _sender(selection: Selection, client: Client, args: dict[str, Any], outcomes: Outcomes, ack: str | None) -> Sender:
    patience = args["timeout"] + PATIENCE
    if ack is None:
        return Sender(client, args, patience, outcomes)
    from wscli.cli.waitack import AckedSender

    return AckedSender(selection, client, args, patience, outcomes, ack=ack)


class Sender:
    """Sends block after block on one request, and keeps count."""

    verb = "send"
    outcome = "sent"
    """What becomes of a message that nothing goes wrong with: the key of the manager's answers, too."""

    def __init__(self, client: Client, args: dict[str, Any], patience: float, outcomes: Outcomes | None = None) -> None:
        self._client = client
        self._args = args
        self._patience = patience
        self._outcomes = outcomes or Outcomes("", enabled=False)
        self.begun = False
        self._sent = 0

    def begin(self) -> None:
        """Ask whether there is such a channel, before there is anything to send."""
        self._client.request(self.verb, self._args, timeout=self._patience)
        self.begun = True

    def block(self, payload: bytes, framing: Framing) -> None:
        """Send one block, and wait until the manager has sent all of it.

        Raises:
            NotSent: and its siblings, as the manager answered, for the first message that failed.
            OutcomeUnknown: the manager took it, and never answered.

        """
        with self._outcomes.telling():
            self._send_block(payload, framing)

    def _send_block(self, payload: bytes, framing: Framing) -> None:
        if len(payload) > BLOCK_LIMIT:
            raise NotSent(
                f"a message of {len(payload)} bytes is over {BLOCK_LIMIT >> 20} MiB", "send it in smaller ones"
            )
        header: Block = {"bytes": len(payload), "framing": framing}
        if self.begun:
            whole = self._client.send_block(header, payload)
        else:
            whole = self._client.start(self.verb, {**self._args, **header}, payload=payload)
            self.begun = True
        try:
            answer = self._client.answer(timeout=self._patience)
        except (ManagerGone, TimedOut) as error:
            kind = OutcomeUnknown if whole else NotSent
            if whole:
                self._outcomes.lose(len(messages_of(payload, framing)))
            raise kind(self._counted(error.message), error.hint) from None
        try:
            self._count(self.taken(result_of(answer)))
        except WscliError as error:
            sent = answer["error"].get(self.outcome, 0)
            self._count(sent if isinstance(sent, int) else 0)
            raise error_for(error.exit_code, self._counted(error.message), error.hint) from None

    def taken(self, result: dict[str, int]) -> int:
        """Read from an answer how many messages the manager took."""
        return result[self.outcome]

    def _count(self, sent: int) -> None:
        self._sent += sent
        self._outcomes.well(self.outcome, sent)

    def reading(self, descriptor: int, most: int) -> bytes:
        """Read what is to be sent next, unless the manager goes first.

        Raises:
            NoInstance: it went.

        """
        manager = self._client.sock.fileno()
        ready, _, _ = select.select([descriptor, manager], [], [])
        if manager in ready:  # it says nothing between two blocks: this is its end
            raise NoInstance(self._counted("the manager was stopped"), "`wscli up` starts it again")
        return os.read(descriptor, most)

    def _counted(self, text: str) -> str:
        if not self._sent:
            return text
        return f"{text} ({'1 message was' if self._sent == 1 else f'{self._sent} messages were'} {self.outcome} before)"


def messages_of(block: bytes, framing: Framing) -> list[bytes]:
    """Cut a block into messages, as the manager does."""
    return [block] if framing == "whole" else block.removesuffix(_ENDS[framing]).split(_ENDS[framing])


def _stream_stdin(sender: Sender, framing: Framing) -> None:
    """Send every message as soon as its end has been read; those that came together go together."""
    end, descriptor = _ENDS[framing], sys.stdin.fileno()
    pending = bytearray()
    while chunk := sender.reading(descriptor, _CHUNK):
        cut = chunk.rfind(end) + 1
        if cut:
            sender.block(bytes(pending) + chunk[:cut], framing)
            pending = bytearray(chunk[cut:])
        else:
            pending += chunk
        if len(pending) > BLOCK_LIMIT:
            raise NotSent(f"a message of stdin is over {BLOCK_LIMIT >> 20} MiB", "send it in smaller ones")
    if pending:
        sender.block(bytes(pending), framing)


def _framing(message: str | None, *, binary: bool, whole: bool, nul: bool) -> Framing:
    """Decide how stdin is cut, and refuse what makes no sense."""
    if whole and nul:
        raise UsageError("--whole and -0 exclude each other", "give one of them")
    if message is not None and message != "-":
        if whole or nul:
            raise UsageError("--whole and -0 say how stdin is cut, and here is a MESSAGE", "leave one of them out")
        return "whole"
    if sys.stdin is None:
        raise UsageError("there is no MESSAGE, and stdin is closed", "give a MESSAGE")
    if message is None and sys.stdin.isatty():
        raise UsageError("there is no MESSAGE, and stdin is a terminal", "give a MESSAGE, or - to type one a line")
    if nul:
        return "nul"
    return "whole" if whole or binary else "line"


@click.command("send")
@with_instance
@channel_argument
@click.argument("message", required=False)
@click.option("--binary", is_flag=True, help="Send binary messages; from stdin all of it as one, unless -0 is given.")
@click.option("--whole", is_flag=True, help="All of stdin is one message.")
@click.option("-0", "nul", is_flag=True, help="The messages of stdin end with NUL, not with a newline.")
@click.option("--wait-ack", "ack", metavar="EXPR", help="Wait for a message that this jq expression is true of.")
@timeout_option("How long a message may wait for the channel to be ready, and for its acknowledgement.", "10s")
@json_option("Print what became of each message.")
@click.option("--queue", "queued", is_flag=True, help="Put it into the outbox: it is sent when the channel is ready.")
@click.option("--ttl", type=DURATION, metavar="T", help="With --queue: it expires after this long; else never.")
@click.option("--key", metavar="K", help="With --queue: a second message of this key is not sent.")
def command(
    selection: Selection,
    channel: str,
    message: str | None,
    binary: bool,
    whole: bool,
    nul: bool,
    ack: str | None,
    timeout: float,
    as_json: bool,
    queued: bool,
    ttl: float | None,
    key: str | None,
) -> int:
    """Send one message, or one a line of stdin.

    MESSAGE is sent as it stands; - or none is stdin. Put -- before a MESSAGE that begins with a dash.

    Exits with 0 once every message was handed to an open, ready connection. Else with the code of the first that was
    not: 7 certainly not sent, 8 (or 4) the channel is not available, 9 the outcome is unknown. What follows it is not
    tried. With --wait-ack each message waits for the acknowledgement of the one before it; 124: none came in time.

    With --queue it exits with 0 once every message is on the disk of the manager; see `wscli outbox`.
    """
    framing = _framing(message, binary=binary, whole=whole, nul=nul)
    if queued:
        if ack is not None:
            raise UsageError("--queue and --wait-ack exclude each other", "what is queued is sent later")
        from wscli.cli.queueing import queue

        wanted = {"binary": binary, "ttl": ttl, "key": key}
        return queue(selection, channel, message, wanted, framing=framing, as_json=as_json)
    if ttl is not None or key is not None:
        raise UsageError("--ttl and --key are of the outbox", "add --queue")
    return send(selection, channel, message, binary=binary, framing=framing, timeout=timeout, ack=ack, as_json=as_json)
