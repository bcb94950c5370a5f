"""``wscli request``: a message, and the one that answers it."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

import click

from wscli.cli.options import channel_argument, json_option, timeout_option, with_instance
from wscli.cli.stdin import chunks
from wscli.control.frames import json_body
from wscli.control.output import Output, OutputClosed
from wscli.control.selection import Selection
from wscli.control.sinks import shown_json, shown_text
from wscli.errors import NotSent, UsageError

if TYPE_CHECKING:
    from wscli.client.messages import Message

__all__ = ["decoded"]


def decoded(payload: bytes) -> str:
    """Read a message as text.

    Raises:
        NotSent: it is not UTF-8.
    """
    try:
        return payload.decode()
    except UnicodeDecodeError as error:  # RFC 6455, section 5.6: a text message is UTF-8
        raise NotSent(
            f"the message is not UTF-8: byte {error.start} of {len(payload)} is 0x{payload[error.start]:02x}",
            "`wscli send CHANNEL --binary` sends bytes as they are",
        ) from None


def _print(reply: Message, *, as_json: bool) -> None:
    """Print it as ``tail`` prints messages."""
    from wscli.client.messages import record_of

    data = reply.data.encode() if isinstance(reply.data, str) else reply.data
    body = memoryview((json_body(record_of(reply)) if as_json else data) + b"\n")
    show = shown_json if as_json else shown_text
    descriptor = sys.stdout.fileno()
    with contextlib.suppress(OutputClosed):
        Output(descriptor).write(show(body) if os.isatty(descriptor) else body)


@click.command("request")
@with_instance
@channel_argument
@click.argument("message")
@click.option("--match", metavar="EXPR", help="The reply is the first message that this jq expression is true of.")
@click.option("--raw-match", metavar="REGEX", help="The reply is the first message in whose text this is found.")
@timeout_option("How long all of it may take.", "10s")
@json_option("Print the reply's record.")
def command(
    selection: Selection,
    channel: str,
    message: str,
    match: str | None,
    raw_match: str | None,
    timeout: float,
    as_json: bool,
) -> int:
    """Send a message, and print the one that answers it.

    In MESSAGE, {ref.int}, {ref.str} and {ref.uuid} become a fresh id, which is $ref in EXPR; {{ref.int} writes
    {ref.int}, and everything else is sent as it stands. - reads MESSAGE from stdin, all of it.

    Without --match the reply is what the session of the channel's endpoint declares (`reply`), which the presets do:

      wscli request home '{"type": "get_states"}'

    --raw-match is for protocols of text: REGEX is one of jq's `test`, and {ref.int} in it is the id. For example:

      wscli request chat 'PING {ref.int}' --raw-match '^PONG {ref.int}$'

    Exits with 124 when no reply came in time, and with the codes of `wscli send` when the message was not sent.
    """
    if match is not None and raw_match is not None:
        raise UsageError("--match and --raw-match exclude each other", "give one of them")
    if message == "-" and sys.stdin is None:
        raise UsageError("MESSAGE is -, and stdin is closed", "give a MESSAGE")
    from wscli.client.sync import Client  # with typing and jq it takes longer than the other verbs together

    client = Client(selection.name, file=selection.file)
    payload = b"".join(chunks()) if message == "-" else os.fsencode(message)
    reply = client.request(channel, decoded(payload), match, raw_match=raw_match, timeout=timeout)
    if sys.stdout is not None:
        _print(reply, as_json=as_json)
    return 0
