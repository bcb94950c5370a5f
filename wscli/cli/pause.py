"""``wscli pause``: hold channels without giving up."""

from __future__ import annotations

import click

from wscli.cli.by_hand import hold, noncritical_options
from wscli.control.selection import Selection


@click.command("pause")
@noncritical_options
def command(selection: Selection, channels: tuple[str, ...], noncritical: bool) -> int:
    """Hold channels without giving up.

    Their connections are closed until `wscli resume`. Without CHANNEL: all of them. A stopped or failed one stays as it
    is.
    """
    return hold(selection, "pause", channels, noncritical=noncritical)
