"""The state of an upstream or a channel with its reason: what the next step depends on, and what ``status`` shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from wscli.core.events import Failure, FailureKind
from wscli.core.states import HOLDS_CONNECTION, ChannelState

__all__ = ["PROBING", "InARow", "Next", "Reason", "Snapshot", "Successor"]


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
    """The ends since the last health that decide only together."""

    refusals: int = 0
    """Ends in a row that stop if they go on."""
    token: int = 0
    """The version of the token that was used last."""
    token_ends: int = 0
    """Ends by the server while that token was used."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that the next step depends on; of a channel's own states, only the first three and ``failure`` are set.

    ``attempt`` counts the attempts in a row without health, the present one included. ``failure`` is that of the last
    attempt. ``reconnected`` and ``reauthed`` say that such a verdict was followed since the last health: each is
    followed once. ``no_sooner`` says that the server or a verdict asked for the present wait, which is not cut short.
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
        """Whether it is ready, but only a pong will tell if its connection outlived the network: nothing is sent."""
        return self.state is ChannelState.READY and self.reason.code == PROBING

    @property
    def refused_credentials(self) -> bool:
        """Whether it failed because the server or a token source refused the credentials."""
        return (
            self.state is ChannelState.FAILED
            and self.failure is not None
            and (self.failure.kind is FailureKind.TOKEN or self.failure.refuses_credentials)
        )
