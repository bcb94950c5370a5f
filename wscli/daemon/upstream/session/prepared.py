"""What happens between an open connection and a ready one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol

from wscli.core.failures import Action, Failure, FailureKind, Verdict
from wscli.tasks import Tasks
from wscli.transport.connection import Connection

__all__ = ["ReadyAtOnce", "PreparedSession", "OpenedSession"]


class OpenedSession(Protocol):
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


class ReadyAtOnce:
    """A connection that is ready as soon as it is open."""

    __slots__ = ()

    def start(
        self, connection: Connection, ready: Callable[[], None], judge: Callable[[Verdict, Failure], None]
    ) -> None:
        """Be ready."""
        ready()

    def forget(self) -> None:
        """Do nothing: nothing is remembered."""


Preparation = Callable[[Connection], Coroutine[Any, Any, str | None]]


class PreparedSession:
    """Has the channels prepare a new connection, once its session is open and before it is ready.

    ``preparations`` gives the work of each channel; awaited, it gives the text of a failure, or None.
    """

    __slots__ = ("_preparations", "_session", "_tasks")

    def __init__(
        self,
        session: OpenedSession,
        preparations: Callable[[], Sequence[Preparation]],
        tasks: Tasks,
    ) -> None:
        self._session = session
        self._preparations = preparations
        self._tasks = tasks

    def start(
        self, connection: Connection, ready: Callable[[], None], judge: Callable[[Verdict, Failure], None]
    ) -> Callable[[], None]:
        """Open the session, as ``OpenedSession.start``; give a function that ends the work on the connection."""
        preparing: list[asyncio.Task[None]] = []

        def prepare() -> None:
            if preparing:
                return
            work = self._preparations()
            if not work:
                ready()
                return
            crashed = Failure(FailureKind.HOOK, "an error of wscli itself; `wscli logs` has more")
            preparing.append(
                self._tasks.spawn(
                    _prepare(connection, work, ready, judge),
                    name="prepare a connection",
                    on_crash=lambda error: judge(Verdict(Action.RETRY), crashed),
                )
            )

        def end() -> None:
            for task in preparing:
                task.cancel()

        self._session.start(connection, prepare, judge)
        return end

    def forget(self) -> None:
        """Forget what the session could be resumed with."""
        self._session.forget()


async def _prepare(
    connection: Connection,
    work: Sequence[Preparation],
    ready: Callable[[], None],
    judge: Callable[[Verdict, Failure], None],
) -> None:
    failed = next(filter(None, await asyncio.gather(*(prepare(connection) for prepare in work))), None)
    if failed is None:
        ready()
    else:
        judge(Verdict(Action.RETRY), Failure(FailureKind.HOOK, failed))
