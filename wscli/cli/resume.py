"""``wscli resume``: end a pause."""

from __future__ import annotations

import click

from wscli.cli.by_hand import hold, noncritical_options
from wscli.control.selection import Selection


@click.command("resume")
@noncritical_options
def command(selection: Selection, channels: tuple[str, ...], noncritical: bool) -> int:
    """End a pause.

    Without CHANNEL: all that are paused. A lazy channel without a use is idle again.
    """
    return hold(selection, "resume", channels, noncritical=noncritical)
