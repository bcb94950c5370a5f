"""``wscli stop``: close channels by hand."""

from __future__ import annotations

import click

from wscli.cli.by_hand import by_hand
from wscli.cli.options import channels_argument, with_instance
from wscli.control.selection import Selection


def stop(selection: Selection, channels: tuple[str, ...]) -> int:
    """Stop them."""
    return by_hand(selection, "stop", {"channels": list(channels)})


@click.command("stop")
@with_instance
@channels_argument(required=True)
def command(selection: Selection, channels: tuple[str, ...]) -> int:
    """Close channels by hand, until they are started.

    A stopped channel stays so whatever wants it: a tail, an eager entry, a reload.
    """
    return stop(selection, channels)
