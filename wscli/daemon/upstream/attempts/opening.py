"""What happens between an upgrade and a ready connection, and what its session says from then on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from wscli.core import events
from wscli.core.failures import Action, Failure, FailureKind, Verdict
from wscli.daemon.upstream.attempts.attempt import Attempt
from wscli.daemon.upstream.attempts.reports import AttemptReports
from wscli.daemon.upstream.keepalive import no_pong
from wscli.daemon.upstream.members.member import ConnectionHook, Member
from wscli.daemon.upstream.services import Services
from wscli.session.actions import Deliver
from wscli.transport.connection import Connection

__all__ = ["Opening"]


class Opening:
    """Opens the connection of one attempt; it is the ``session.seam.SessionListener`` of its session.

    The connection goes on the keep-alive wheel. Then its session is opened, then the channels prepare it, and then it
    is ready. A successor's session is opened after its first pong: a server may accept a connection and close it at
    once, and a healthy one is not replaced by that.
    """

    __slots__ = ("_attempt", "_connection", "_preparing", "_reports", "_services", "_waits")

    def __init__(self, reports: AttemptReports, attempt: Attempt, services: Services) -> None:
        self._reports = reports
        self._attempt = attempt
        self._services = services
        self._connection: Connection | None = None
        self._preparing: asyncio.Task[None] | None = None
        self._waits = False

    def opened(self, connection: Connection) -> None:
        """Begin on the open connection."""
        attempt, keepalive = self._attempt, self._reports.upstream.plan.keepalive
        self._connection = connection
        self._waits = self._reports.needs_pong(attempt)
        attempt.watch = self._services.wheel.add(connection, keepalive, on_rtt=self._pong, on_dead=self._dead)
        self._reports.upstream.feed(events.Opened(attempt.generation))
        if self._waits:
            attempt.watch.probe()
        else:
            attempt.session.open(connection)

    def end(self) -> None:
        """Stop preparing."""
        if self._preparing is not None:
            self._preparing.cancel()

    def _pong(self, rtt: float) -> None:
        if self._waits and self._connection is not None:
            self._waits = False
            self._attempt.session.open(self._connection)
        self._reports.ponged(self._attempt, rtt)

    def _dead(self) -> None:
        self._attempt.fail(no_pong(self._reports.upstream.plan.keepalive))

    def _finish(self) -> None:
        attempt = self._attempt
        if not attempt.retired and attempt.ready_at is None:
            attempt.ready_at = self._services.clock.monotonic()
            self._reports.upstream.feed(events.HandshakeDone(attempt.generation))

    async def _prepare(self, connection: Connection, hooks: list[ConnectionHook]) -> None:
        results = await asyncio.gather(*(prepare(connection) for prepare in hooks))
        failed = next(filter(None, results), None)
        if failed is None:
            self._finish()
        else:
            self.judged(Verdict(Action.RETRY), Failure(FailureKind.HOOK, failed))

    # session.seam.SessionListener

    def ready(self, *, resumed: bool) -> None:
        """Have the channels prepare the connection, which is ready after that."""
        self._attempt.resumed = resumed
        hooks = self._reports.preparations()
        if not hooks or self._connection is None:
            self._finish()
        elif self._preparing is None:
            crashed = Failure(FailureKind.HOOK, "an error of wscli itself; `wscli logs` has more")
            self._preparing = self._services.tasks.spawn(
                self._prepare(self._connection, hooks),
                name="prepare a connection",
                on_crash=lambda error: self.judged(Verdict(Action.RETRY), crashed),
            )

    def progressed(self, text: str) -> None:
        """Show the step in ``status``."""
        if self._attempt.ready_at is None:
            self._reports.progressed(self._attempt, "session", text)

    def judged(self, verdict: Verdict | None, failure: Failure) -> None:
        """Carry out a verdict on the connection."""
        if verdict is None:
            self._attempt.fail(failure)
        elif not self._attempt.retired:
            self._reports.judged(self._attempt, verdict, failure)

    def subscribed(self, member: Member, *, resumed: bool) -> None:
        """Have the channel be ready."""
        self._reports.upstream.roster.subscribed(self._attempt, member, resumed=resumed)

    def subscribing(self, member: Member, text: str) -> None:
        """Show the step in the channel's ``status``."""
        if self._attempt.members.get(member) == "joining":
            member.subscriber.feed(events.SubscriptionProgressed(text))

    def refused(self, member: Member, verdict: Verdict | None, failure: Failure) -> None:
        """Have the channel wait, fail or be done."""
        self._reports.upstream.roster.refused(self._attempt, member, verdict, failure)

    def unsubscribed(self, member: Member) -> None:
        """Forget the channel on this connection."""
        self._reports.upstream.roster.unsubscribed(self._attempt, member)

    def deliver(self, member: Member, delivery: Deliver, logged: Callable[[int], None]) -> None:
        """Hand the channel its messages."""
        if member in self._attempt.members:
            member.subscriber.delivered(delivery, logged)

    def gap(self, member: Member, reason: str, missed: int | None) -> None:
        """Record a gap of the channel."""
        if member in self._attempt.members:
            member.subscriber.missed(reason, missed)
