"""``wscli restart``: close channels and open them anew."""

from __future__ import annotations

import click

from wscli.cli.by_hand import by_hand
from wscli.cli.options import channels_argument, with_instance
from wscli.control.selection import Selection


def restart(selection: Selection, channels: tuple[str, ...]) -> int:
    """Restart them."""
    return by_hand(selection, "restart", {"channels": list(channels)})


@click.command("restart")
@with_instance
@channels_argument(required=True)
def command(selection: Selection, channels: tuple[str, ...]) -> int:
    """Close channels and open them anew.

    The old connection is closed before the new one is dialled.
    """
    return restart(selection, channels)
