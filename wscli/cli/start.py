"""``wscli start``: open channels by hand."""

from __future__ import annotations

import click

from wscli.cli.by_hand import by_hand
from wscli.cli.options import channels_argument, with_instance
from wscli.control.selection import Selection


def start(selection: Selection, channels: tuple[str, ...]) -> int:
    """Start them."""
    return by_hand(selection, "start", {"channels": list(channels)})


@click.command("start")
@with_instance
@channels_argument(required=True)
def command(selection: Selection, channels: tuple[str, ...]) -> int:
    """Open channels by hand, whatever held them.

    One that failed or was stopped forgets that; one that waits dials now.
    """
    return start(selection, channels)
