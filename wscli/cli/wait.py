"""``wscli wait``: block until channels are ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wscli.cli.formatting import duration
from wscli.cli.options import channels_argument, timeout_option, with_instance
from wscli.control.client import connect_to, deadline_after, left_until, states_after_deadline
from wscli.control.protocol import STATES, State
from wscli.control.selection import Selection
from wscli.control.text import state_text
from wscli.errors import TimedOut

if TYPE_CHECKING:
    from wscli.control.requests import WaitRequest


def wait(
    selection: Selection,
    channels: tuple[str, ...],
    state: State,
    timeout: float | None,
    *,
    left: float | None = None,
) -> int:
    """Wait until all of them are in the state; without a name: every eager critical one.

    ``left`` is what is left of the timeout, where the call has done something else before.
    """
    request: WaitRequest = {"channels": list(channels), "for": state}
    left = timeout if left is None else left
    deadline = deadline_after(left)
    with connect_to(selection, timeout=left) as client:
        try:
            client.request("wait", request, timeout=left_until(deadline))
        except TimedOut:
            states = states_after_deadline(selection, channels)
            waited_for = [one for one in states if channels or (one["critical"] and one["state"] != "idle")]
            others = [one for one in waited_for if one["state"] != state]
            if states and not others:  # by now they all are
                return 0
            stands = "".join(f": {one['channel']} is {state_text(one)}" for one in others[:1])
            hint = "`wscli status` says what it waits for; --timeout waits longer"
            raise TimedOut(f"not {state} within {duration(timeout or 0)}{stands}", hint) from None
    return 0


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
