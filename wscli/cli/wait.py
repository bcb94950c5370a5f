"""``wscli wait``: block until channels are ready."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import click

from wscli.cli.formatting import duration
from wscli.cli.options import channels_argument, timeout_option, with_instance
from wscli.control.client import ask
from wscli.control.protocol import STATES, State
from wscli.control.selection import Selection
from wscli.errors import TimedOut, WscliError

if TYPE_CHECKING:
    from wscli.control.requests import ChannelsRequest, WaitRequest


def wait(selection: Selection, channels: tuple[str, ...], state: State, timeout: float | None) -> int:
    """Wait until all of them are in the state."""
    try:
        request: WaitRequest = {"channels": list(channels), "for": state}
        ask(selection, "wait", request, timeout=timeout)
    except TimedOut:
        stands = _stands(selection, channels, state)
        if stands is None:
            return 0
        hint = "`wscli status` says what it waits for; --timeout waits longer"
        raise TimedOut(f"not {state} within {duration(timeout or 0)}{stands}", hint) from None
    return 0


def _stands(selection: Selection, channels: tuple[str, ...], state: State) -> str | None:
    """Say which channel is not there yet; None: by now they all are, or always were, with no time to say so."""
    with contextlib.suppress(WscliError):  # the deadline is the news; how they stand is a courtesy
        request: ChannelsRequest = {"channels": list(channels)}
        for one in ask(selection, "status", request, timeout=0.5)["channels"]:
            if one["state"] != state:
                return f": {one['channel']} is {one['state']}: {one['reason']['text']}"
        return None
    return ""


@click.command("wait")
@with_instance
@channels_argument(required=True)
@click.option(
    "--for",
    "state",
    type=click.Choice(STATES),
    default="ready",
    show_default=True,
    metavar="STATE",
    help="The state to wait for: " + ", ".join(STATES) + ".",
)
@timeout_option("Exit with 124 after this long; without it, wait for ever.")
def command(selection: Selection, channels: tuple[str, ...], state: State, timeout: float | None) -> int:
    """Block until channels are ready.

    A lazy channel is opened for as long as this waits. Exits at once with 8 for a channel that is failed, done, stopped
    or paused, with 4 if its credentials were refused.
    """
    return wait(selection, channels, state, timeout)
