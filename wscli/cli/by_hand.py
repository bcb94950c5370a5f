"""What start, stop, restart, pause and resume share."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import click

from wscli.cli.options import channels_argument, with_instance
from wscli.cli.printing import note
from wscli.control.client import ask
from wscli.control.selection import Selection
from wscli.errors import UsageError

if TYPE_CHECKING:
    from wscli.control.requests import ChannelsRequest, PauseRequest

__all__ = ["by_hand", "hold", "noncritical_options"]


def by_hand(
    selection: Selection,
    verb: Literal["start", "stop", "restart", "pause", "resume"],
    request: ChannelsRequest | PauseRequest,
) -> int:
    """Send the request, and print each channel's state after it."""
    for one in ask(selection, verb, request)["channels"]:
        note(f"{one['channel']}: {one['state']}: {one['reason']['text']}")
    return 0


def hold(
    selection: Selection, verb: Literal["pause", "resume"], channels: tuple[str, ...], *, noncritical: bool
) -> int:
    """Pause or resume channels: those that are named, those with ``critical: false``, or all."""
    if channels and noncritical:
        raise UsageError("CHANNEL and --noncritical exclude each other", "give one of them")
    return by_hand(selection, verb, {"channels": list(channels), "noncritical": noncritical})


def noncritical_options(function: Callable[[Selection, tuple[str, ...], bool], int]) -> Callable[..., int]:
    """Accept -i, -c, CHANNEL... and --noncritical."""
    option = click.option("--noncritical", is_flag=True, help="All channels that say critical: false.")
    return with_instance(channels_argument(required=False)(option(function)))
