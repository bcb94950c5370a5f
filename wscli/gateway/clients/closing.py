"""When and how a channel's client is closed; pure."""

from __future__ import annotations

from typing import NamedTuple

from wscli.core.failures import Failure, FailureKind
from wscli.core.states import ChannelState
from wscli.daemon.channel.channel import Channel
from wscli.transport.frames.close_codes import SENDABLE_CODES, CloseCode

__all__ = [
    "STOPPED",
    "CloseReason",
    "as_upstream",
    "reason_to_close",
]


class CloseReason(NamedTuple):
    """A close code and its reason."""

    code: int
    text: str


STOPPED = CloseReason(CloseCode.GOING_AWAY, "the manager was stopped")


def reason_to_close(channel: Channel, *, stopping: bool, lost: bool) -> CloseReason | None:
    """Give the reason to close a client of a channel, or None.

    ``stopping``: the manager stops; ``lost``: the connection is lost, and that closes this client.
    """
    if stopping:
        return STOPPED
    if channel.removed:
        return CloseReason(CloseCode.GOING_AWAY, f"channel {channel.name!r} was removed from the configuration")
    if channel.state is ChannelState.DONE:
        return _as_upstream(channel, CloseCode.NORMAL_CLOSURE)
    if channel.state is ChannelState.FAILED:
        return _as_upstream(channel, CloseCode.BAD_GATEWAY)
    return _of_loss(channel) if lost else None


def _of_loss(channel: Channel) -> CloseReason:
    match channel.state:
        case ChannelState.READY:
            return CloseReason(CloseCode.SERVICE_RESTART, "the upstream connection was replaced")
        case ChannelState.PAUSED | ChannelState.STOPPED:
            code = CloseCode.TRY_AGAIN_LATER if channel.state is ChannelState.PAUSED else CloseCode.GOING_AWAY
            return CloseReason(code, f"channel {channel.name!r} was {channel.state} by hand")
        case _:
            ours = channel.snapshot.failure is None  # a restart, or a reload
            return _as_upstream(channel, CloseCode.SERVICE_RESTART if ours else CloseCode.BAD_GATEWAY)


def _as_upstream(channel: Channel, otherwise: int) -> CloseReason:
    return as_upstream(channel.snapshot.failure, channel.snapshot.reason.text, otherwise)


def as_upstream(failure: Failure | None, text: str, otherwise: int) -> CloseReason:
    """Close as the server did; ``otherwise`` and ``text`` apply where it sent no code that may be passed on."""
    if failure is not None and failure.kind is FailureKind.CLOSE and failure.code in SENDABLE_CODES:
        return CloseReason(failure.code or otherwise, failure.close_reason or "")
    return CloseReason(otherwise, text)
