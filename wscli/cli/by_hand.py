"""``wscli start``, ``stop``, ``restart``, ``pause`` and ``resume``: a step for channels, and their states after it."""

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


def _by_hand(
    selection: Selection,
    verb: Literal["start", "stop", "restart", "pause", "resume"],
    request: ChannelsRequest | PauseRequest,
) -> int:
    for one in ask(selection, verb, request)["channels"]:
        note(f"{one['channel']}: {one['state']}: {one['reason']['text']}")
    return 0


@click.command("start")
@with_instance
@channels_argument(required=True)
def start(selection: Selection, channels: tuple[str, ...]) -> int:
    """Open channels by hand, whatever held them.

    One that failed or was stopped forgets that; one that waits dials now.
    """
    return _by_hand(selection, "start", {"channels": list(channels)})


@click.command("stop")
@with_instance
@channels_argument(required=True)
def stop(selection: Selection, channels: tuple[str, ...]) -> int:
    """Close channels by hand, until they are started.

    A stopped channel stays so whatever wants it: a tail, an eager entry, a reload.
    """
    return _by_hand(selection, "stop", {"channels": list(channels)})


@click.command("restart")
@with_instance
@channels_argument(required=True)
def restart(selection: Selection, channels: tuple[str, ...]) -> int:
    """Close channels and open them anew.

    The old connection is closed before the new one is dialled.
    """
    return _by_hand(selection, "restart", {"channels": list(channels)})


def _hold(
    selection: Selection, verb: Literal["pause", "resume"], channels: tuple[str, ...], *, noncritical: bool
) -> int:
    if channels and noncritical:
        raise UsageError("CHANNEL and --noncritical exclude each other", "give one of them")
    return _by_hand(selection, verb, {"channels": list(channels), "noncritical": noncritical})


def _noncritical_options(function: Callable[[Selection, tuple[str, ...], bool], int]) -> Callable[..., int]:
    option = click.option("--noncritical", is_flag=True, help="All channels that say critical: false.")
    return with_instance(channels_argument(required=False)(option(function)))


@click.command("pause")
@_noncritical_options
def pause(selection: Selection, channels: tuple[str, ...], noncritical: bool) -> int:
    """Hold channels without giving up.

    Their connections are closed until `wscli resume`. Without CHANNEL: all of them. A stopped or failed one stays as it
    is.
    """
    return _hold(selection, "pause", channels, noncritical=noncritical)


@click.command("resume")
@_noncritical_options
def resume(selection: Selection, channels: tuple[str, ...], noncritical: bool) -> int:
    """End a pause.

    Without CHANNEL: all that are paused. A lazy channel without a use is idle again.
    """
    return _hold(selection, "resume", channels, noncritical=noncritical)
