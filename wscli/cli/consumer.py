"""``wscli consumer``: where the named consumers of channels are."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from wscli.cli.formatting import duration
from wscli.cli.options import channel_argument, channels_argument, json_option, with_instance
from wscli.cli.printing import json_lines, note, put
from wscli.control.client import ask
from wscli.control.selection import Selection

if TYPE_CHECKING:
    from wscli.control.messages import ConsumerStatus
    from wscli.control.requests import ConsumerChange, ConsumerList, ConsumerReset


def _text(found: list[ConsumerStatus]) -> str:
    from wscli.cli.tables import table

    now = time.time()
    rows = [
        [
            one["channel"],
            one["consumer"],
            one["cursor"],
            str(one["lag"]),
            "" if one["held_by"] is None else str(one["held_by"]),
            "" if one["moved_at"] is None else f"{duration(max(0.0, now - one['moved_at']))} ago",
        ]
        for one in found
    ]
    return table(["CHANNEL", "CONSUMER", "CURSOR", "LAG", "READ BY", "MOVED"], rows)


@click.group("consumer", no_args_is_help=False)
def command() -> None:
    """List, reset or forget named consumers.

    `wscli tail CHANNEL --consumer NAME` makes one; the channel keeps its history on disk.
    """


@command.command("ls")
@with_instance
@channels_argument(required=False)
@json_option("A JSON object a line.")
def ls(selection: Selection, channels: tuple[str, ...], as_json: bool) -> int:
    """List consumers and their lag.

    For each it prints its position, how many messages it is behind, and the process that reads now.
    """
    request: ConsumerList = {"action": "ls", "channels": list(channels)}
    found: list[ConsumerStatus] = ask(selection, "consumer", request)["consumers"]
    put(json_lines(found) if as_json else _text(found))
    return 0


@command.command("reset")
@with_instance
@channel_argument
@click.argument("name", metavar="NAME")
@click.option(
    "--to",
    default="start",
    show_default=True,
    metavar="start|end|CURSOR",
    help="Begin at the oldest message that is kept, with the next to come, or after a record's epoch:seq.",
)
def reset(selection: Selection, channel: str, name: str, to: str) -> int:
    """Move a consumer to another position.

    Exits with 1 if there is no such consumer, or if it has a reader.
    """
    request: ConsumerReset = {"action": "reset", "channel": channel, "name": name, "to": to}
    ask(selection, "consumer", request)
    where = f"at the {to}" if to in ("start", "end") else f"after {to}"
    note(f"consumer {name!r} of {channel} goes on {where}")
    return 0


@command.command("rm")
@with_instance
@channel_argument
@click.argument("name", metavar="NAME")
def rm(selection: Selection, channel: str, name: str) -> int:
    """Forget a consumer.

    Exits with 1 if there is no such consumer, or if it has a reader.
    """
    request: ConsumerChange = {"action": "rm", "channel": channel, "name": name}
    ask(selection, "consumer", request)
    note(f"consumer {name!r} of {channel} is forgotten")
    return 0
