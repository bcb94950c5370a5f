"""``wscli outbox``: the messages of ``send --queue`` that are not sent yet."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import click

from wscli.cli.formatting import duration, size
from wscli.cli.options import Number, channels_argument, json_option, timeout_option, with_instance
from wscli.cli.printing import json_lines, note, put
from wscli.control.client import STATES_DEADLINE, ask, not_ready
from wscli.control.selection import Selection
from wscli.errors import TimedOut, UsageError, WscliError

if TYPE_CHECKING:
    from wscli.control.messages import OutboxMessage
    from wscli.control.requests import OutboxFlush, OutboxList, OutboxRemove


def _text(messages: list[OutboxMessage]) -> str:
    from wscli.cli.tables import table

    head = ("ID", "CHANNEL", "STATE", "QUEUED", "EXPIRES", "KEY", "SIZE", "ATTEMPTS", "REASON")
    now = time.time()
    return table(head, [_row(one, now) for one in messages])


def _row(one: OutboxMessage, now: float) -> tuple[str, ...]:
    left = None if one["expires_at"] is None else one["expires_at"] - now
    return (
        str(one["id"]),
        one["channel"],
        one["state"],
        f"{duration(max(0.0, now - one['queued_at']))} ago",
        "-" if left is None else f"in {duration(left)}" if left > 0 else f"{duration(-left)} ago",
        one["key"] or "-",
        size(one["size"]),
        str(one["attempts"]),
        one["reason"] or "-",
    )


@click.group("outbox", no_args_is_help=False)
def command() -> None:
    """List, remove or flush what waits to be sent.

    `wscli send --queue` puts messages there.
    """


@command.command("ls")
@with_instance
@channels_argument(required=False)
@json_option("One JSON object a line, for each message.")
def ls(selection: Selection, channels: tuple[str, ...], as_json: bool) -> int:
    """List what is queued, expired or rejected, never a payload."""
    request: OutboxList = {"action": "ls", "channels": list(channels)}
    messages: list[OutboxMessage] = ask(selection, "outbox", request)["messages"]
    put(json_lines(messages) if as_json else _text(messages))
    return 0


@command.command("rm")
@with_instance
@click.argument("ids", nargs=-1, type=Number(1), metavar="[ID]...")
@click.option("--expired", is_flag=True, help="All that expired.")
@click.option("--all", "channel", metavar="CHANNEL", help="All that this channel has.")
def rm(selection: Selection, ids: tuple[int, ...], expired: bool, channel: str | None) -> int:
    """Remove messages: they are not sent.

    Exits with 1 if one of them is being sent at that moment, and with 2 if there is no such ID.
    """
    if bool(ids) + expired + (channel is not None) != 1:
        raise UsageError("one of ID, --expired and --all says what to remove", "`wscli outbox ls` lists the messages")
    request: OutboxRemove = {"action": "rm", "ids": list(ids), "expired": expired, "channel": channel}
    count = ask(selection, "outbox", request)["removed"]
    note("1 message is removed" if count == 1 else f"{count} messages are removed")
    return 0


def _still_queued(selection: Selection) -> list[OutboxMessage]:
    request: OutboxList = {"action": "ls", "channels": []}
    with contextlib.suppress(WscliError, OSError):  # the deadline is the news
        found: list[OutboxMessage] = ask(selection, "outbox", request, timeout=STATES_DEADLINE)["messages"]
        return [one for one in found if one["state"] == "queued"]
    return []


@command.command("flush")
@with_instance
@timeout_option("Exit with 124 after this long; without it, wait for ever.")
def flush(selection: Selection, timeout: float | None) -> int:
    """Wait until nothing is queued.

    Exits with 8 if a channel that has messages is failed, done, stopped or paused.
    """
    request: OutboxFlush = {"action": "flush"}
    try:
        ask(selection, "outbox", request, timeout=timeout)
    except TimedOut:
        named = list(dict.fromkeys(one["channel"] for one in _still_queued(selection)))
        raise TimedOut(
            f"messages are still queued after {duration(timeout or 0)}{not_ready(selection, named) if named else ''}",
            "`wscli outbox ls` lists them; --timeout waits longer",
        ) from None
    return 0
