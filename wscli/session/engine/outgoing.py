"""Messages that leave: what a step, a rule, a timer or a program sends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from wscli.session.actions import Action, ChannelSession

__all__ = ["LetOut", "OutgoingMessage", "RefSource"]


class RefSource(Protocol):
    """Where references are drawn: one counter an upstream."""

    def draw(self, kind: str) -> int | str:
        """Give a fresh one of the kind ``int``, ``str`` or ``uuid``."""


@dataclass(slots=True, eq=False)
class OutgoingMessage:
    """A message that waits to be let out."""

    channel: ChannelSession | None
    by_user: bool
    """Whether a program sent it; those go after the session's own."""
    ref: Any = None
    """The reference that was drawn for it; None: not yet, or it has none."""


@dataclass(frozen=True, slots=True)
class LetOut:
    """What to write now; ``payload`` None: nothing, it could not be rendered."""

    payload: bytes | None
    binary: bool
    actions: list[Action] = field(default_factory=list)
    """To be carried out once the write has begun."""
