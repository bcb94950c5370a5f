"""``wscli resume``: end a pause."""

from __future__ import annotations

import click

from wscli.cli.hands import by_hand
from wscli.cli.options import channels_argument, with_instance
from wscli.control.selection import Selection
from wscli.errors import UsageError


def resume(selection: Selection, channels: tuple[str, ...], *, noncritical: bool) -> int:
    """Resume those that are paused."""
    if channels and noncritical:
        raise UsageError("CHANNEL and --noncritical exclude each other", "give one of them")
    return by_hand(selection, "resume", {"channels": channels, "noncritical": noncritical})


@click.command("resume")
@with_instance
@channels_argument(required=False)
@click.option("--noncritical", is_flag=True, help="All channels that say critical: false.")
def command(selection: Selection, channels: tuple[str, ...], noncritical: bool) -> int:
    """End a pause.

    Without CHANNEL: all that are paused. A lazy channel that nobody uses is idle again.
    """
    return resume(selection, channels, noncritical=noncritical)
