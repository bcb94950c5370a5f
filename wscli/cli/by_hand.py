"""``wscli start`` and the other verbs that change channels by hand, and print their new states."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from wscli.cli.options import channels_argument, with_instance
from wscli.cli.printing import note
from wscli.control.client import ask
from wscli.control.selection import Selection
from wscli.errors import UsageError

if TYPE_CHECKING:
    from wscli.control.requests import PauseRequest

_noncritical_option = click.option("--noncritical", is_flag=True, help="All channels with critical: false.")
_Verb = Literal["start", "stop", "restart", "rotate", "resubscribe", "pause", "resume"]


def _by_hand(selection: Selection, verb: _Verb, request: PauseRequest) -> int:
    if request.get("channels") and request.get("noncritical"):
        raise UsageError("CHANNEL and --noncritical exclude each other", "give one of them")
    for one in ask(selection, verb, request)["channels"]:
        note(f"{one['channel']}: {one['state']}: {one['reason']['text']}")
    return 0


@click.command("start")
@with_instance
@channels_argument(required=True)
def start(selection: Selection, channels: tuple[str, ...]) -> int:
    """Open channels by hand.

    A failed or stopped channel opens again; one that waits dials now.
    """
    return _by_hand(selection, "start", {"channels": list(channels)})


@click.command("stop")
@with_instance
@channels_argument(required=True)
def stop(selection: Selection, channels: tuple[str, ...]) -> int:
    """Close channels by hand, until they are started.

    A stopped channel stays stopped: a tail, `open: eager` or a reload does not open it.
    """
    return _by_hand(selection, "stop", {"channels": list(channels)})


@click.command("restart")
@with_instance
@channels_argument(required=True)
def restart(selection: Selection, channels: tuple[str, ...]) -> int:
    """Close channels and open them anew.

    The old connection is closed before the new one is dialled. A channel that shares its connection with others is
    subscribed anew on it.
    """
    return _by_hand(selection, "restart", {"channels": list(channels)})


@click.command("rotate")
@with_instance
@channels_argument(required=True)
def rotate(selection: Selection, channels: tuple[str, ...]) -> int:
    """Replace connections without closing them first.

    The next connection is opened, logged in and subscribed before the present one is closed, so that nothing is missed:
    before a token expires, or when a server asks for it. Channels that share the connection move with it. A channel
    that is not ready connects now.

    \b
    Example:
      wscli rotate calls && wscli status calls --watch
    """
    return _by_hand(selection, "rotate", {"channels": list(channels)})


@click.command("resubscribe")
@with_instance
@channels_argument(required=True)
def resubscribe(selection: Selection, channels: tuple[str, ...]) -> int:
    """Subscribe channels anew on their connections.

    The steps `unsubscribe` and `subscribe` of the session run once more; the connection and other channels on it stay
    as they are. A channel that is not open is started. Without a session there is nothing to subscribe: 2.

    \b
    Example:
      wscli resubscribe rooms/42
    """
    return _by_hand(selection, "resubscribe", {"channels": list(channels)})


@click.command("pause")
@with_instance
@channels_argument(required=False)
@_noncritical_option
def pause(selection: Selection, channels: tuple[str, ...], noncritical: bool) -> int:
    """Pause channels.

    Their connections are closed until `wscli resume`. Without CHANNEL: all of them. A stopped or failed one stays as it
    is.
    """
    return _by_hand(selection, "pause", {"channels": list(channels), "noncritical": noncritical})


@click.command("resume")
@with_instance
@channels_argument(required=False)
@_noncritical_option
def resume(selection: Selection, channels: tuple[str, ...], noncritical: bool) -> int:
    """End a pause.

    Without CHANNEL: all that are paused. A lazy channel without a use is idle again.
    """
    return _by_hand(selection, "resume", {"channels": list(channels), "noncritical": noncritical})
