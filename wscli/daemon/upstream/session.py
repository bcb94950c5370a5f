"""What happens between an open connection and a ready one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from wscli.core.actions import Verdict
from wscli.core.events import Failure
from wscli.transport.connection import Connection

__all__ = ["NoSession", "UpstreamSession"]


class UpstreamSession(Protocol):
    """Logs in on each connection of an upstream, and remembers what a session can be resumed with."""

    def start(
        self, connection: Connection, ready: Callable[[], None], judge: Callable[[Verdict, Failure], None]
    ) -> None:
        """Open the session on a connection.

        Args:
            connection: the connection; its messages are kept back until ``ready`` was called.
            ready: to be called once the session can carry subscriptions, now or later.
            judge: to be called with a verdict on the connection, at any time while it is open.

        """

    def forget(self) -> None:
        """Forget what the session could be resumed with."""


class NoSession:
    """A connection that is ready as soon as it is open."""

    __slots__ = ()

    def start(
        self, connection: Connection, ready: Callable[[], None], judge: Callable[[Verdict, Failure], None]
    ) -> None:
        """Be ready."""
        ready()

    def forget(self) -> None:
        """Do nothing: nothing is remembered."""
