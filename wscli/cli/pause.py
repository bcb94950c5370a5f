"""``wscli pause``: hold channels without giving up."""

from __future__ import annotations

import click

from wscli.cli.hands import by_hand
from wscli.cli.options import channels_argument, with_instance
from wscli.control.selection import Selection
from wscli.errors import UsageError


def pause(selection: Selection, channels: tuple[str, ...], *, noncritical: bool) -> int:
    """Pause them."""
    if channels and noncritical:
        raise UsageError("CHANNEL and --noncritical exclude each other", "give one of them")
    return by_hand(selection, "pause", {"channels": channels, "noncritical": noncritical})


@click.command("pause")
@with_instance
@channels_argument(required=False)
@click.option("--noncritical", is_flag=True, help="All channels that say critical: false.")
def command(selection: Selection, channels: tuple[str, ...], noncritical: bool) -> int:
    """Hold channels without giving up.

    Their connections are closed until `wscli resume`. Without CHANNEL: all of them. A stopped or failed one stays as it
    is.
    """
    return pause(selection, channels, noncritical=noncritical)
