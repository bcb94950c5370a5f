"""One generation of an upstream's connection: from its dial to its end, and never again."""

from __future__ import annotations

import asyncio
from typing import Protocol

from wscli.core.events import Failure
from wscli.daemon.upstream.dial.dialer import AttemptRecord
from wscli.daemon.upstream.dial.scrub import scrubbed
from wscli.daemon.upstream.keepalive import KeepaliveWatch
from wscli.transport.connection import Connection

__all__ = ["Attempt"]


class _Owner(Protocol):
    def attempt_opened(self, attempt: Attempt, connection: Connection) -> None: ...
    def attempt_received(self, payloads: list[bytes], kinds: bytes | None) -> None: ...
    def attempt_ended(self, attempt: Attempt, failure: Failure) -> None: ...


class Attempt:
    """The listener of one connection, with its task, its record and its place on the keep-alive wheel.

    Messages that arrive before the session is ready are kept, and an end that comes before the connection is open is
    reported after that. After ``retire``, or once the end is reported, nothing more of it reaches the upstream.
    """

    __slots__ = (
        "_early",
        "_end",
        "_owner",
        "_superseded",
        "connection",
        "generation",
        "ready_at",
        "record",
        "retired",
        "task",
        "watch",
    )

    def __init__(self, generation: int, record: AttemptRecord, owner: _Owner) -> None:
        self.generation = generation
        self.record = record
        self.connection: Connection | None = None
        self.task: asyncio.Task[None] | None = None
        self.watch: KeepaliveWatch | None = None
        self.ready_at: float | None = None
        """On ``Clock.monotonic``; set once its session is ready."""
        self.retired = False
        """Whether it was given up, or its end is reported."""
        self._owner = owner
        self._early: list[tuple[list[bytes], bytes | None]] = []
        self._end: Failure | None = None
        self._superseded = False

    def on_batch(self, payloads: list[bytes], kinds: bytes | None) -> None:
        """Pass messages on."""
        if self.retired:
            return
        if self.ready_at is None:
            self._early.append((payloads, kinds))
        else:
            self._owner.attempt_received(payloads, kinds)

    def on_end(self, failure: Failure) -> None:
        """Report the end once, with the cause that ``fail`` gave if it was called."""
        self._unwatch()
        self._end = self._end or scrubbed(failure, self.record.secrets)
        if self.connection is not None:
            self._report(self._end)

    def opened(self, connection: Connection) -> None:
        """Keep the open connection."""
        self.connection = connection
        if self.retired:
            return  # ``hang_up`` closes it
        self._owner.attempt_opened(self, connection)
        if self._end is not None:
            self._report(self._end)

    def pass_on_early(self) -> None:
        """Pass on the messages that arrived before it was ready."""
        early, self._early = self._early, []
        for payloads, kinds in early:
            self.on_batch(payloads, kinds)

    def fail(self, failure: Failure) -> None:
        """Drop the connection at once, and report this cause instead of the drop."""
        self._end = self._end or failure
        if self.connection is not None:
            self.connection.abort()
        self._report(self._end)

    def _report(self, failure: Failure) -> None:
        self._unwatch()
        if not self.retired and not self._superseded:
            self.retired = True
            self.record.failure = failure
            self._owner.attempt_ended(self, failure)

    def _unwatch(self) -> None:
        if self.watch is not None:
            self.watch.cancel()
            self.watch = None

    @property
    def over(self) -> Failure | None:
        """How it ended, even if that was not reported yet."""
        return self._end

    def supersede(self) -> None:
        """Pass on further messages, and report no end: another took its place, and ``hang_up`` follows."""
        self._superseded = True
        self._unwatch()

    def retire(self) -> None:
        """Pass on nothing from now on; ``hang_up`` follows."""
        self.retired = True
        self._unwatch()

    async def hang_up(self, deadline: float) -> None:
        """Close what is open, or stop opening it, within ``deadline`` seconds; drop it where this is cancelled."""
        try:
            if self.connection is None and self.task is not None:
                self.task.cancel()
                await asyncio.wait([self.task])
            if self.connection is not None:
                await self.connection.close(1000, deadline=deadline)
        finally:
            if self.connection is not None:
                self.connection.abort()  # without effect on one that is closed
