"""The states of an upstream and a channel: what the next step depends on, and what ``status`` shows.

An **upstream** is one connection to a server and its reconnection. A **channel** is a subscription on one. While a
channel is *open* it shows the state of its upstream (``ready`` once it is subscribed); its own states are those in
which it wants no connection, or was refused one that its neighbours on the same upstream may keep.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

from wscli.core.failures import Failure, FailureKind

__all__ = [
    "ChannelState",
    "HOLDS_CONNECTION",
    "InARow",
    "Next",
    "OwnState",
    "PROBING",
    "Reason",
    "SETTLED",
    "Snapshot",
    "Successor",
]


class ChannelState(StrEnum):
    """What ``status`` shows; the values are part of the contract with scripts."""

    IDLE = "idle"
    """Lazy, and not in use."""
    CONNECTING = "connecting"
    """An attempt is under way: tokens, a place in the connect budget, the dial."""
    HANDSHAKING = "handshaking"
    """The upgrade is answered; the session is not ready yet."""
    READY = "ready"
    """Subscribed and answered."""
    WAITING = "waiting"
    """Backing off; another attempt follows."""
    OFFLINE = "offline"
    """No network leads to the server; nothing is dialled."""
    PAUSED = "paused"
    """Closed by ``pause`` until ``resume``."""
    STOPPED = "stopped"
    """Closed by hand until ``start``."""
    FAILED = "failed"
    """A verdict said stop, or the backoff gave up; ``start``, ``look_again`` or a ``reload`` opens it again."""
    DONE = "done"
    """The server ended it, as declared, without an error."""


S = ChannelState

HOLDS_CONNECTION = frozenset({S.CONNECTING, S.HANDSHAKING, S.READY})
"""States in which a connection is open or being opened."""

SETTLED = frozenset({S.PAUSED, S.STOPPED, S.FAILED, S.DONE})
"""States that last until a person ends them, or for minutes: ``tail``, ``send`` and ``wait`` return at once."""


PROBING: Final = "probing"
"""The code of the reason of ``Snapshot.probing``."""


class Reason(NamedTuple):
    """Why a state was entered: a code for scripts, a text for people."""

    code: str
    text: str


class Next(NamedTuple):
    """What happens next (``at`` is wall time): ``retry dial network use resume start none``."""

    action: str
    at: float | None = None


class Successor(NamedTuple):
    """The attempt that will replace the ready connection: ``connecting``, then ``handshaking``."""

    generation: int
    state: ChannelState
    reason: Reason


class InARow(NamedTuple):
    """Counts of ends in a row without health, for verdicts that one end alone does not give."""

    refusals: int = 0
    """Ends in a row for which ``verdicts.stops_in_a_row``."""
    token: int = 0
    """The version of the token that was used last."""
    token_ends: int = 0
    """Ends by the server while that token was used."""


@dataclass(frozen=True, slots=True)
class OwnState:
    """A channel's own state, on which its next step depends beside its upstream's.

    ``state`` is None where the channel is open, and either subscribed or waiting for its upstream. On a ready upstream
    it is ``handshaking`` while it is being subscribed, and ``waiting`` while it backs off by itself. ``attempt`` counts
    the subscriptions in a row without health, the present one included; ``refusals`` those ends for which
    ``verdicts.stops_in_a_row``. ``reconnected`` and ``reauthed`` are as in ``Snapshot``. ``wait_at`` is the wall-clock
    time before which it is not subscribed anew; a wait goes on while the channel is idle.
    """

    state: ChannelState | None = ChannelState.IDLE
    reason: Reason = Reason("unused", "not used yet")
    next: Next = Next("use")
    failure: Failure | None = None
    attempt: int = 0
    refusals: int = 0
    reconnected: bool = False
    reauthed: bool = False
    wait_at: float | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that the next step of an upstream depends on, and what a channel shows.

    ``attempt`` counts the attempts in a row without health, the present one included. ``failure`` is that of the last
    attempt. ``reconnected`` and ``reauthed`` say that such a verdict was carried out since the last health; each is
    carried out once. ``no_sooner`` says that the server or a verdict asked for the present wait: it is not cut short.
    ``successor`` is set during a rotation, and only beside a ready connection; ``last_successor`` is the highest
    generation of any, and ``rotation_failures`` counts those in a row that did not become ready.
    """

    state: ChannelState = ChannelState.IDLE
    reason: Reason = Reason("unused", "not used yet")
    next: Next = Next("use")
    generation: int = 0
    attempt: int = 0
    failure: Failure | None = None
    in_a_row: InARow = InARow()
    reconnected: bool = False
    reauthed: bool = False
    no_sooner: bool = False
    successor: Successor | None = None
    last_successor: int = 0
    rotation_failures: int = 0

    @property
    def failures(self) -> int:
        """Number of failed attempts in a row, without the present one."""
        return max(0, self.attempt - (self.state in HOLDS_CONNECTION))

    @property
    def dialling(self) -> bool:
        """Whether the dial of the present attempt has begun, and is not answered yet."""
        return self.state is ChannelState.CONNECTING and self.reason.code == "dialling"

    @property
    def probing(self) -> bool:
        """Whether it is ready, but its network changed: nothing is sent until a pong shows that it still works."""
        return self.state is ChannelState.READY and self.reason.code == PROBING

    @property
    def refused_credentials(self) -> bool:
        """Whether it failed because the server or a token source refused the credentials."""
        return (
            self.state is ChannelState.FAILED
            and self.failure is not None
            and (self.failure.kind is FailureKind.TOKEN or self.failure.refuses_credentials)
        )
