"""The states of a channel, and which may follow which.

Everything that says where a channel can go stands in this table; the machine refuses any other step.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["HOLDS_CONNECTION", "SETTLED", "TRANSITIONS", "ChannelState"]


class ChannelState(StrEnum):
    """Where a channel stands; the values are part of the contract with scripts."""

    IDLE = "idle"
    """Lazy, and not in use."""
    CONNECTING = "connecting"
    """One attempt is under way: tokens, a place in the connect budget, the dial."""
    HANDSHAKING = "handshaking"
    """The upgrade is answered; the session is not ready yet."""
    READY = "ready"
    """Subscribed and answered."""
    WAITING = "waiting"
    """Backing off; another attempt follows."""
    OFFLINE = "offline"
    """No network leads to the server; nothing is dialled."""
    PAUSED = "paused"
    """Held by ``pause``."""
    STOPPED = "stopped"
    """Stopped by hand; only ``start`` opens it again."""
    FAILED = "failed"
    """A verdict said stop, or it gave up; only ``start`` opens it again."""
    DONE = "done"
    """The server ended it, as declared, without an error."""


_S = ChannelState

TRANSITIONS: dict[ChannelState, frozenset[ChannelState]] = {
    _S.IDLE: frozenset({_S.CONNECTING, _S.PAUSED, _S.STOPPED, _S.FAILED}),
    _S.CONNECTING: frozenset(
        {_S.HANDSHAKING, _S.WAITING, _S.OFFLINE, _S.IDLE, _S.PAUSED, _S.STOPPED, _S.FAILED, _S.DONE}
    ),
    _S.HANDSHAKING: frozenset(
        {_S.READY, _S.CONNECTING, _S.WAITING, _S.OFFLINE, _S.IDLE, _S.PAUSED, _S.STOPPED, _S.FAILED, _S.DONE}
    ),
    _S.READY: frozenset(
        {_S.CONNECTING, _S.HANDSHAKING, _S.WAITING, _S.IDLE, _S.PAUSED, _S.STOPPED, _S.FAILED, _S.DONE}
    ),
    _S.WAITING: frozenset({_S.CONNECTING, _S.OFFLINE, _S.IDLE, _S.PAUSED, _S.STOPPED, _S.FAILED}),
    _S.OFFLINE: frozenset({_S.CONNECTING, _S.IDLE, _S.PAUSED, _S.STOPPED, _S.FAILED}),
    _S.PAUSED: frozenset({_S.CONNECTING, _S.IDLE, _S.STOPPED, _S.FAILED}),
    _S.STOPPED: frozenset({_S.CONNECTING, _S.FAILED}),
    _S.FAILED: frozenset({_S.CONNECTING, _S.STOPPED}),
    _S.DONE: frozenset({_S.CONNECTING, _S.STOPPED, _S.FAILED}),
}

HOLDS_CONNECTION = frozenset({_S.CONNECTING, _S.HANDSHAKING, _S.READY})
"""States in which a connection is open or being opened."""

SETTLED = frozenset({_S.PAUSED, _S.STOPPED, _S.FAILED, _S.DONE})
"""States that only a person (or a resume) ends: a ``tail``, ``send`` or ``wait`` does not wait for them."""
