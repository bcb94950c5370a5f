"""``clients:`` and ``strict:``: how clients of the gateway and of the adapter use a channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from wscli.net.subprotocols import is_stateful

__all__ = ["ClientsPlan"]


@dataclass(frozen=True, slots=True)
class ClientsPlan:
    """Whether clients share the channel's upstream or have one each, and when one is closed with it."""

    declared: Literal["shared", "own"] | None = None
    """``clients:``; None: own for a stateful subprotocol without a session."""
    strict: bool | None = None
    """``strict:``; None: for a stateful subprotocol without a session."""
    stateful: bool = False
    """Whether the file declares a subprotocol with a state for each connection."""
    session: bool = False
    """Whether the endpoint has a session, which speaks the protocol for all clients."""

    @property
    def own(self) -> bool:
        """Whether clients that offer no subprotocol have an upstream each."""
        return self.is_own(())

    def is_own(self, offered: Sequence[str]) -> bool:
        """Whether a client that offers these subprotocols has an upstream of its own."""
        if self.declared is not None:
            return self.declared == "own"
        return not self.session and (self.stateful or any(map(is_stateful, offered)))

    def is_strict(self, subprotocol: str | None) -> bool:
        """Whether a client of a shared upstream is closed when that is lost.

        Args:
            subprotocol: the one that the client speaks.
        """
        if self.strict is not None:
            return self.strict
        return not self.session and subprotocol is not None and is_stateful(subprotocol)
