"""``wscli send``: one message, or one a line of stdin."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

import click

from wscli.cli.options import DURATION, RATE, Number, channel_argument, json_option, timeout_option, with_instance
from wscli.cli.send.outcomes import Outcomes
from wscli.cli.send.sender import Sender, hand_over
from wscli.control.client import ANSWER_GRACE, ManagerConnection, connect_to
from wscli.control.protocol import BLOCK_LIMIT
from wscli.control.selection import Selection
from wscli.errors import UsageError

if TYPE_CHECKING:
    from wscli.control.requests import Framing, QueueRequest, SendRequest


def _sender(
    selection: Selection, client: ManagerConnection, args: SendRequest, outcomes: Outcomes, ack: str | None
) -> Sender:
    if (number := _preparing(args["channel"], client.instance.name)) is not None:
        args["connection"] = number
    if ack is None:
        return Sender(client, args, args["timeout"] + ANSWER_GRACE, outcomes)
    from wscli.cli.send.acked import AckedSender

    return AckedSender(selection, client, args, outcomes, ack=ack)


def _preparing(channel: str, instance: str) -> int | None:
    """Give the number of the connection that the hook ``on_connect`` prepares, if this runs in it."""
    whose = {"WSCLI_HOOK": "on_connect", "WSCLI_CHANNEL": channel, "WSCLI_INSTANCE": instance}
    number = os.environ.get("WSCLI_CONNECTION", "")
    if number.isdecimal() and all(os.environ.get(name) == text for name, text in whose.items()):
        return int(number)
    return None


def _framing(
    message: str | None, *, binary: bool, whole: bool, nul: bool, chunk: int | None, interval: float | None
) -> Framing:
    """Decide how stdin is cut, and refuse what makes no sense."""
    cuts = [name for name, given in (("--whole", whole), ("-0", nul), ("--chunk", chunk is not None)) if given]
    if len(cuts) > 1:
        raise UsageError(f"{cuts[0]} and {cuts[1]} exclude each other", "give one of them")
    if chunk is not None and not binary:
        raise UsageError("--chunk cuts bytes, not text", "add --binary")
    if message is not None and message != "-":
        if cuts or interval is not None:
            raise UsageError(
                "--whole, -0, --chunk and --rate are about stdin, and here is a MESSAGE", "leave one of them out"
            )
        return "whole"
    if sys.stdin is None:
        raise UsageError("MESSAGE is missing, and stdin is closed", "give a MESSAGE")
    if message is None and sys.stdin.isatty():
        raise UsageError("MESSAGE is missing, and stdin is a terminal", "give a MESSAGE, or - to type one a line")
    if nul:
        return "nul"
    return "whole" if whole or binary else "line"


def _send_now(
    selection: Selection,
    args: SendRequest,
    message: str | None,
    framing: Framing,
    chunk: int | None,
    interval: float | None,
    ack: str | None,
    *,
    as_json: bool,
) -> int:
    """Send without the outbox."""
    one_by_one = chunk is not None or interval is not None
    outcomes = Outcomes(args["channel"], enabled=as_json)
    reporting = outcomes.reporting() if framing == "whole" and not one_by_one else contextlib.nullcontext()
    with reporting, connect_to(selection, timeout=args["timeout"]) as client:
        sender = _sender(selection, client, args, outcomes, ack)
        if one_by_one:
            from wscli.cli.send.paced import send_stream

            send_stream(sender, framing, chunk=chunk, interval=interval, shows=not as_json)
        else:
            hand_over(sender, message, framing)
    return 0


@click.command("send")
@with_instance
@channel_argument
@click.argument("message", required=False)
@click.option("--binary", is_flag=True, help="Send binary messages; from stdin all of it as one, unless -0 is given.")
@click.option("--whole", is_flag=True, help="All of stdin is one message.")
@click.option("-0", "nul", is_flag=True, help="The messages of stdin end with NUL, not with a newline.")
@click.option(
    "--chunk", type=Number(1, BLOCK_LIMIT), metavar="BYTES", help="With --binary: cut stdin into messages of this size."
)
@click.option("--rate", "interval", type=RATE, metavar="N/T", help="Send so many messages of stdin in a time: 10/s.")
@click.option("--wait-ack", "ack", metavar="EXPR", help="Wait for a message that this jq expression is true of.")
@timeout_option("How long to wait for the channel to be ready, and for --wait-ack or --wait.", "10s")
@json_option("Print what became of each message.")
@click.option("--queue", "queued", is_flag=True, help="Put it into the outbox: it is sent when the channel is ready.")
@click.option("--wait", is_flag=True, help="With --queue: wait for its outcome, at most --timeout.")
@click.option("--ttl", type=DURATION, metavar="T", help="With --queue: it expires after this long; else never.")
@click.option("--key", metavar="K", help="With --queue: a second message of this key is not sent.")
def command(
    selection: Selection,
    channel: str,
    message: str | None,
    binary: bool,
    whole: bool,
    nul: bool,
    chunk: int | None,
    interval: float | None,
    ack: str | None,
    timeout: float,
    as_json: bool,
    queued: bool,
    wait: bool,
    ttl: float | None,
    key: str | None,
) -> int:
    """Send one message, or one a line of stdin.

    MESSAGE is sent as it stands; - or none is stdin. Put -- before a MESSAGE that begins with a dash.

    Exits with 0 once every message was handed to an open, ready connection. Else with the code of the first that was
    not: 7 certainly not sent, 8 (or 4) the channel is not available, 9 the outcome is unknown. The messages after it
    are not sent. With --wait-ack each message waits for the acknowledgement of the one before it; 124: none in time.

    With --queue it exits with 0 once every message is on the disk of the manager; see `wscli outbox`. With --queue
    --wait it exits with 0 once every message was sent; 7: one expired, was rejected or was removed; 9: the same, and it
    may have been sent before; 124: one is still queued, and will be sent.

    With --chunk each message has exactly so many bytes, the last one what is left. An error says how many messages and
    bytes were sent before it, and a note where the rest goes over another connection. Audio of 16 bits at 16 kHz, ten
    messages a second:

      wscli send speech --binary --chunk 3200 --rate 10/s < talk.raw
    """
    framing = _framing(message, binary=binary, whole=whole, nul=nul, chunk=chunk, interval=interval)
    if not queued:
        if ttl is not None or key is not None or wait:
            raise UsageError("--ttl, --key and --wait are of the outbox", "add --queue")
        sending: SendRequest = {"channel": channel, "binary": binary, "timeout": timeout}
        return _send_now(selection, sending, message, framing, chunk, interval, ack, as_json=as_json)
    if ack is not None or chunk is not None or interval is not None:
        refused = "--wait-ack" if ack is not None else "--chunk" if chunk is not None else "--rate"
        raise UsageError(f"--queue and {refused} exclude each other", "what is queued is sent later")
    from wscli.cli.send.queued import queue_messages

    queueing: QueueRequest = {"channel": channel, "binary": binary, "ttl": ttl, "key": key, "watch": wait}
    return queue_messages(selection, queueing, message, framing, timeout, as_json=as_json)
