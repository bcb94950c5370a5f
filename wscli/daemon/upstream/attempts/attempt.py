"""One generation of an upstream's connection: from its dial to its end, and never again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol

from wscli.clock import Clock
from wscli.core.failures import Failure, FailureKind
from wscli.daemon.upstream.clocks import SilenceTimer
from wscli.daemon.upstream.dial.dialer import AttemptRecord
from wscli.daemon.upstream.keepalive import KeepaliveWatch
from wscli.daemon.upstream.members.member import Member
from wscli.daemon.upstream.session.seam import ConnectionSession, SessionListener
from wscli.timing import Schedule
from wscli.transport.connection import Connection
from wscli.values import format_duration

__all__ = ["Attempt", "AttemptListener", "AttemptOpening", "MemberPhase"]

EARLY_LIMIT = 16 << 20
"""Bytes of messages that are kept until the connection is ready, where it has no session."""

MemberPhase = Literal["joining", "subscribed", "leaving"]
"""How far a channel is on a connection: being subscribed, subscribed, being unsubscribed."""


class AttemptListener(Protocol):
    """Receives what happens to the attempts."""

    def progressed(self, attempt: Attempt, code: str, text: str) -> None:
        """A step of the dial began that may take long."""

    def received(self, payloads: list[bytes], kinds: bytes | None) -> None:
        """Messages arrived over a ready connection without a session, or one that drains."""

    def ended(self, attempt: Attempt, failure: Failure) -> None:
        """It is over; reported once, and not after it was hung up."""


class AttemptOpening(SessionListener, Protocol):
    """What is done from the upgrade until the connection is ready, and what hears its session."""

    def opened(self, connection: Connection) -> None:
        """Begin on the open connection."""

    def end(self) -> None:
        """Stop."""


@dataclass(slots=True, eq=False, repr=False)
class Attempt:
    """The listener of one connection, with its task, its record, its session and its place on the keep-alive wheel.

    Without a session, messages that arrive before it is ready are kept. An end that comes before the connection is open
    is reported after that. After ``retire``, or once the end is reported, nothing more of it reaches the upstream.
    """

    generation: int
    record: AttemptRecord
    _owner: AttemptListener
    connection: Connection | None = None
    task: asyncio.Task[None] | None = None
    watch: KeepaliveWatch | None = None
    session: ConnectionSession = field(init=False)
    opening: AttemptOpening = field(init=False)
    members: dict[Member, MemberPhase] = field(default_factory=dict)
    """The channels on the connection."""
    resumed: bool = False
    """Whether its session took up the one before."""
    taken_over: bool = False
    """Whether the connection before it ended only a moment before this one was ready."""
    final: bool = False
    """Whether it is closed for good: what still arrives is its channels', though they are closed."""
    superseded: bool = False
    """Whether another took its place as the present one."""
    closing: bool = False
    """Whether it is being closed, after it was superseded."""
    silence: SilenceTimer | None = None
    ready_at: float | None = None
    """On ``Clock.monotonic``; set once its session is ready."""
    retired: bool = False
    """Whether it was given up, or its end is reported."""
    sent: bool = False
    """Whether a program's message was sent over it."""
    over: Failure | None = None
    """How it ended, even if that was not reported yet."""
    _early: list[tuple[list[bytes], bytes | None]] = field(default_factory=list)
    _early_bytes: int = 0

    def on_batch(self, payloads: list[bytes], kinds: bytes | None) -> None:
        """Pass messages on."""
        if self.retired:
            return
        if self.silence is not None:
            self.silence.heard()
        if (receive := self.session.receive) is not None:
            receive(payloads, kinds)
        elif self.ready_at is None:
            self._early.append((payloads, kinds))
            self._early_bytes += sum(map(len, payloads))
            if self._early_bytes > EARLY_LIMIT:
                text = f"over {EARLY_LIMIT >> 20} MiB arrived before the connection was ready"
                self.fail(Failure(FailureKind.HOOK, text))
        else:
            self._owner.received(payloads, kinds)

    def on_end(self, failure: Failure) -> None:
        """Report the end once, with the cause that ``fail`` gave if it was called."""
        self._end()
        self.over = self.over or self.record.scrubbed(failure)
        if self.connection is not None:
            self._report(self.over)

    def opened(self, connection: Connection) -> None:
        """Keep the open connection."""
        self.connection = connection
        if self.retired:
            return  # ``hang_up`` closes it
        self.opening.opened(connection)
        if self.over is not None:
            self._report(self.over)

    def pass_on_early(self) -> None:
        """Pass on the messages that arrived before it was ready."""
        early, self._early = self._early, []
        for payloads, kinds in early:
            self.on_batch(payloads, kinds)

    def limit_silence(self, seconds: float | None, clock: Clock, schedule: Schedule, held: Callable[[], bool]) -> None:
        """Fail once no message arrived for so many seconds in which reading was not ``held``; None: never."""
        if self.silence is not None:
            self.silence.cancel()
            self.silence = None
        if seconds is not None:
            text = f"no message within {format_duration(seconds)}"
            failure = Failure(FailureKind.SILENCE, text, code=1006, by="us")
            self.silence = SilenceTimer(seconds, clock, schedule, held=held, silent=lambda: self.fail(failure))

    def fail(self, failure: Failure) -> None:
        """Drop the connection at once, and report this cause instead of the drop."""
        self.over = self.over or failure
        if self.connection is not None:
            self.connection.abort()
        self._report(self.over)

    def _report(self, failure: Failure) -> None:
        self._end()
        if not self.retired:
            self.retired = True
            if self.record.failure is None or failure.by != "us":  # a verdict has us close it, and is the cause
                self.record.failure = failure
            self._owner.ended(self, failure)

    def unwatch(self) -> None:
        """Judge its liveness no more."""
        if self.watch is not None:
            self.watch.cancel()
            self.watch = None
        if self.silence is not None:
            self.silence.cancel()
            self.silence = None

    def _end(self) -> None:
        self.unwatch()
        self.opening.end()
        self.session.end()

    def retire(self) -> None:
        """Pass on nothing from now on; ``hang_up`` follows."""
        self.retired = True
        self._end()

    async def hang_up(self, deadline: float) -> None:
        """Close what is open, or stop opening it, within ``deadline`` seconds; drop it where this is cancelled.

        One that is closed for good says bye first, within the time that its session declares.
        """
        self.unwatch()
        try:
            if self.connection is None and self.task is not None:
                self.task.cancel()
                await asyncio.wait([self.task])
            if self.connection is not None:
                if self.final and not self.retired:
                    await self.session.bye()
                await self.connection.close(self.session.close_code, deadline=deadline)
        finally:
            if self.connection is not None:
                self.connection.abort()  # without effect on one that is closed
            self.retire()
