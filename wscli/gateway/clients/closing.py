"""When and how a channel's client is closed; pure."""

from __future__ import annotations

from typing import NamedTuple

from wscli.core.failures import Failure, FailureKind
from wscli.core.states import ChannelState
from wscli.daemon.channel.channel import Channel
from wscli.transport.frames.close_codes import SENDABLE_CODES

__all__ = [
    "BAD_GATEWAY",
    "GOING_AWAY",
    "INTERNAL_ERROR",
    "POLICY_VIOLATION",
    "SERVICE_RESTART",
    "STOPPED",
    "TRY_AGAIN_LATER",
    "CloseReason",
    "as_upstream",
    "reason_to_close",
]

NORMAL = 1000
GOING_AWAY = 1001
POLICY_VIOLATION = 1008
INTERNAL_ERROR = 1011
SERVICE_RESTART = 1012
TRY_AGAIN_LATER = 1013
BAD_GATEWAY = 1014
"""Close codes (RFC 6455, section 7.4.1; 1012 to 1014 are registered with IANA)."""


class CloseReason(NamedTuple):
    """A close code and its reason."""

    code: int
    text: str


STOPPED = CloseReason(GOING_AWAY, "the manager was stopped")


def reason_to_close(channel: Channel, *, stopping: bool, lost: bool) -> CloseReason | None:
    """Give the reason to close a client of a channel, or None.

    ``stopping``: the manager stops; ``lost``: the connection is lost, and that closes this client.
    """
    if stopping:
        return STOPPED
    if channel.removed:
        return CloseReason(GOING_AWAY, f"channel {channel.name!r} was removed from the configuration")
    if channel.state is ChannelState.DONE:
        return _as_upstream(channel, NORMAL)
    if channel.state is ChannelState.FAILED:
        return _as_upstream(channel, BAD_GATEWAY)
    return _of_loss(channel) if lost else None


def _of_loss(channel: Channel) -> CloseReason:
    match channel.state:
        case ChannelState.READY:
            return CloseReason(SERVICE_RESTART, "the upstream connection was replaced")
        case ChannelState.PAUSED | ChannelState.STOPPED:
            code = TRY_AGAIN_LATER if channel.state is ChannelState.PAUSED else GOING_AWAY
            return CloseReason(code, f"channel {channel.name!r} was {channel.state} by hand")
        case _:
            ours = channel.snapshot.failure is None  # a restart, or a reload
            return _as_upstream(channel, SERVICE_RESTART if ours else BAD_GATEWAY)


def _as_upstream(channel: Channel, otherwise: int) -> CloseReason:
    return as_upstream(channel.snapshot.failure, channel.snapshot.reason.text, otherwise)


def as_upstream(failure: Failure | None, text: str, otherwise: int) -> CloseReason:
    """Close as the server did; ``otherwise`` and ``text`` apply where it sent no code that may be passed on."""
    if failure is not None and failure.kind is FailureKind.CLOSE and failure.code in SENDABLE_CODES:
        return CloseReason(failure.code or otherwise, failure.close_reason or "")
    return CloseReason(otherwise, text)
