"""Where a channel stands: all that its next step depends on, and what ``status`` shows of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from wscli.core.events import Failure, FailureKind
from wscli.core.states import ChannelState

__all__ = ["Next", "Reason", "Snapshot", "Successor"]


class Reason(NamedTuple):
    """Why a channel is where it is: a code for scripts, a text for people."""

    code: str
    text: str


class Next(NamedTuple):
    """What happens next (``at`` is wall time): ``retry dial network use resume start none``."""

    action: str
    at: float | None = None


class Successor(NamedTuple):
    """The attempt that is to take the place of the ready connection: ``connecting``, then ``handshaking``."""

    generation: int
    state: ChannelState
    reason: Reason


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that a channel's next step depends on.

    ``attempt`` counts the attempts in a row without health, the present one included. ``reconnected`` and ``reauthed``
    say that a verdict of that name was already followed since the last health, so that it is not followed in a circle.
    ``no_sooner`` says that the present wait was asked for by the server or a verdict, and is not to be cut short.
    ``successor`` is there while a rotation is under way, beside a ready connection alone; ``last_successor`` is the
    highest generation that one ever had, and ``rotation_failures`` counts those in a row that did not become ready.
    """

    state: ChannelState = ChannelState.IDLE
    reason: Reason = Reason("unused", "nobody has used it yet")
    next: Next = Next("use")
    generation: int = 0
    attempt: int = 0
    failure: Failure | None = None
    policy_violations: int = 0
    reconnected: bool = False
    reauthed: bool = False
    no_sooner: bool = False
    successor: Successor | None = None
    last_successor: int = 0
    rotation_failures: int = 0

    @property
    def refused_credentials(self) -> bool:
        """Whether it failed because the server or a token source refused its credentials."""
        return (
            self.state is ChannelState.FAILED
            and self.failure is not None
            and (self.failure.kind is FailureKind.TOKEN or self.failure.code in (401, 403, 4401, 4403))
        )
