"""``wscli logs``: the manager's own log."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import click

from wscli.cli.options import Number, json_option, level_option, with_instance
from wscli.cli.printing import json_lines, put, styled
from wscli.control.client import connect_to
from wscli.control.protocol import COUNT_LIMIT
from wscli.control.selection import Selection
from wscli.control.text import escape

if TYPE_CHECKING:
    from wscli.control.requests import LogLevel, LogsRequest

_COLOURS = {"error": "red", "critical": "red", "warning": "yellow"}


def _line(record: dict[str, Any]) -> str:
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record["ts"]))
    level = styled(record["level"], sys.stdout, fg=_COLOURS.get(record["level"]))
    text = f"{at} {level} {escape(record['message'])}\n"
    return text + escape(record["traceback"], keep="\n") + "\n" if record.get("traceback") else text


@click.command("logs")
@with_instance
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged from now on.")
@click.option("-n", "--last", type=Number(min=0), default=100, show_default=True, metavar="N", help="How many.")
@level_option(
    "--level",
    "The lowest level that is shown, whatever is written; debug: each dial, open, close, wait, refusal and token fetch,"
    " as in `wscli logs --level debug -f`. Default: what `up --log-level` said.",
)
@json_option("One JSON object for each record.")
def command(selection: Selection, follow: bool, last: int, level: LogLevel | None, as_json: bool) -> int:
    """Show the manager's own log.

    The manager keeps the last 1,000 records of each level and above; a detached one writes a log file as well.
    """
    from wscli.cli import feed

    def show(record: dict[str, Any]) -> None:
        put(json_lines([record]) if as_json else _line(record))

    with connect_to(selection) as client:
        request: LogsRequest = {"n": min(last, COUNT_LIMIT), "follow": follow}
        if level is not None:
            request["level"] = level
        client.request("logs", request, timeout=30.0)
        feed.follow(client, show)
    return 0
