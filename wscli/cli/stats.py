"""``wscli stats``: the counters."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from wscli.cli.options import channels_argument, json_option, with_instance
from wscli.cli.printing import put
from wscli.control.client import ask
from wscli.control.selection import Selection

if TYPE_CHECKING:
    from wscli.control.reports import Stats
    from wscli.control.requests import ChannelsRequest


def stats(selection: Selection, channels: tuple[str, ...], as_json: bool) -> int:
    """Print them as one JSON object, or as a table."""
    request: ChannelsRequest = {"channels": list(channels)}
    result: Stats = ask(selection, "stats", request)
    if as_json:
        put(json.dumps(result, separators=(",", ":")) + "\n")
        return 0
    from wscli.cli.tables import stats_text

    put(stats_text(result))
    return 0


@click.command("stats")
@with_instance
@channels_argument(required=False)
@json_option("One JSON object, with the same keys always.")
def command(selection: Selection, channels: tuple[str, ...], as_json: bool) -> int:
    """Show the counters.

    Counts are since the manager's start, times are seconds. Without CHANNEL: all of them.
    """
    return stats(selection, channels, as_json)
