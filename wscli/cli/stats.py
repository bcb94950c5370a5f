"""``wscli stats``: the counters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wscli.cli.options import channels_argument, json_option, with_instance
from wscli.cli.printing import json_lines, put
from wscli.control.client import ask
from wscli.control.selection import Selection

if TYPE_CHECKING:
    from wscli.control.messages import Stats
    from wscli.control.requests import ChannelsRequest


@click.command("stats")
@with_instance
@channels_argument(required=False)
@json_option("One JSON object, with the same keys always.")
def command(selection: Selection, channels: tuple[str, ...], as_json: bool) -> int:
    """Show the counters.

    Counts are since the manager's start, times are seconds. Without CHANNEL: all of them.
    """
    request: ChannelsRequest = {"channels": list(channels)}
    result: Stats = ask(selection, "stats", request)
    if as_json:
        put(json_lines([result]))
        return 0
    from wscli.cli.tables import stats_text

    put(stats_text(result))
    return 0
