"""One connection to a server, kept: the shell that carries out what the machine decides.

An upstream is a socket with its session, its keep-alive, its rotation, its backoff and its machine (``core.machine``).
A channel is a subscription on it (``subscription``). Each has a state, and each state has one owner:

- The upstream is ``idle`` while no channel wants it, and else where its connection is: ``connecting``, ``handshaking``,
  ``ready``, ``waiting``, ``offline``, or ``failed`` or ``done`` by a verdict on the connection. A wait goes on after
  the last use, and the failures before it count after ``idle``. It knows no pause and no stop.
- A channel (``core.channel``) is ``idle``, ``paused`` or ``stopped``, or ``failed`` or ``done`` by a verdict on its own
  subscription; or it is open, and then shows the state of its upstream. Only on a ready upstream it may be
  ``handshaking`` or ``waiting`` by itself, until it is subscribed.

So what a person does to a channel is done to no other channel of the upstream. The upstream opens for the first channel
that wants it and closes when none does any more. Once it is ready, each open channel is subscribed (``roster``), told
of its own gap, and that it is ready; a channel that opens later is subscribed at once.

Back-pressure belongs to the upstream: reading is paused while every receiving channel holds it back, and goes on as
soon as one does not. A channel that lags meanwhile loses messages of its own history, never those of its neighbours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Literal

from wscli.config.plan import UpstreamPlan
from wscli.core import commands, events
from wscli.core.backoff import delay_for
from wscli.core.events import UpstreamEvent
from wscli.core.failures import Failure, FailureKind
from wscli.core.machine import event_of_reload, step
from wscli.core.states import SETTLED, ChannelState, Snapshot
from wscli.daemon.upstream.attempts.attempt import Attempt
from wscli.daemon.upstream.attempts.attempts import Attempts
from wscli.daemon.upstream.attempts.opening import Opening
from wscli.daemon.upstream.attempts.reports import AttemptReports
from wscli.daemon.upstream.attempts.roster import Roster
from wscli.daemon.upstream.attempts.trace import Trace
from wscli.daemon.upstream.clocks import HealthClock, RotationTimer, least_life, retry_delay
from wscli.daemon.upstream.dial.destination import Destination
from wscli.daemon.upstream.dial.dialer import DialRequest
from wscli.daemon.upstream.members.subscribers import Subscribers
from wscli.daemon.upstream.refs import Refs
from wscli.daemon.upstream.services import Services
from wscli.daemon.upstream.session.seam import MakeSession
from wscli.timing import OneShot
from wscli.transport.connection import Connection

__all__ = ["CLOSED", "ReloadEffect", "Upstream"]

ReloadEffect = Literal["updated", "rotated", "restarted"]
"""What another plan did: no more than that, the next connection beside the present one, or another in its place."""
_EFFECTS: dict[type[UpstreamEvent], ReloadEffect] = {
    events.CloseRequested: "updated",
    events.ReplaceRequested: "rotated",
    events.RedialRequested: "restarted",
}

S = ChannelState
CLOSED = Failure(FailureKind.CLOSE, "closed by us", code=1000, by="us")


class Upstream:
    """A connection for one channel or several; ``after`` is a task to await before the first dial."""

    __slots__ = (
        "_events", "_retry", "_rotation", "_services", "_stepping", "attempts", "destination", "health", "params",
        "plan", "refs", "roster", "snapshot", "subscribers", "values",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        plan: UpstreamPlan,
        params: Mapping[str, str],
        values: Mapping[str, Any],
        services: Services,
        *,
        make_session: MakeSession,
        after: asyncio.Task[None] | None,
    ) -> None:
        self.plan = plan
        self.params = params
        self.values = values
        self.snapshot = Snapshot()
        self.refs = Refs()
        self.subscribers = Subscribers()
        self.destination = Destination(
            services.reachable, services.lookups, services.schedule, lambda: self.feed(events.NetworkReturned())
        )
        self.health = HealthClock(services.clock)
        reports, trace = AttemptReports(self), Trace(name, self.subscribers)
        self.attempts = Attempts(
            name, services, reports, self.destination, trace, make_session(self, services), on_crash=self._crashed,
            open_with=lambda attempt: Opening(reports, attempt, services), after=after,
        )  # fmt: skip
        self.roster = Roster(self, services.clock)
        self._services = services
        self._events: list[UpstreamEvent] = []  # hardly ever more than two: a deque has room for 64 in each upstream
        self._stepping = False
        self._rotation = RotationTimer(
            services.clock, services.chance, services.schedule,
            self._rotation_due,
        )  # fmt: skip
        self._retry = OneShot(services.schedule)

    @property
    def connection(self) -> Connection | None:
        """The open connection, while the upstream is ready."""
        present = self.attempts.present
        return present.connection if present is not None and self.snapshot.state is S.READY else None

    @property
    def healthy_for(self) -> float:
        """Seconds that the open connection has been ready."""
        return self.health.healthy_for(None if self.attempts.present is None else self.attempts.present.ready_at)

    @property
    def healthy(self) -> bool:
        """Whether the connection has been ready for ``reset_after``."""
        return self.connection is not None and self.healthy_for >= self.plan.backoff.reset_after

    def feed(self, event: UpstreamEvent) -> None:
        """Apply an event; one that comes while another is being carried out waits for its turn."""
        self._events.append(event)
        if self._stepping:
            return
        self._stepping = True
        try:
            while self._events:
                self._step(self._events.pop(0))
        finally:
            self._stepping = False
            self.attempts.ended.clear()

    def regulate(self) -> None:
        """Pause reading while every channel that receives holds it back."""
        was_paused = self.subscribers.paused
        self.subscribers.regulate(self.connection)
        if (present := self.attempts.present) is not None and was_paused is not self.subscribers.paused:
            present.session.held(held=self.subscribers.paused)
            if was_paused and present.silence is not None:
                present.silence.heard()

    def network_changed(self, reachable: Callable[[str], bool], source: Callable[[str], str | None]) -> None:
        """Dial or ping if a route leads to the server, else wait for one; what no channel wants stays as it is."""
        if self.subscribers.wanted:
            self.feed(self.destination.judge(reachable, source))
            self.destination.look_again()

    def probe(self) -> None:
        """Ping at once, if it is open: the network changed, or the machine slept."""
        self._rotation.reset(self.plan.rotate)
        if (present := self.attempts.present) is not None and present.watch is not None:
            present.watch.probe()

    def update(
        self,
        plan: UpstreamPlan,
        params: Mapping[str, str],
        values: Mapping[str, Any],
        *,
        redials: bool = False,
        tokens_changed: bool = False,
    ) -> ReloadEffect:
        """Apply another plan, and say whether that redials, or rotates; ``redials``: it does for another reason."""
        before, self.plan, self.params, self.values = self.plan, plan, params, values
        same = plan.dial.opens_the_same(before.dial) and plan.session == before.session
        dials_otherwise = redials or not same
        if plan.rotate != before.rotate:
            self._rotation.reset(plan.rotate)
        if dials_otherwise:
            self.destination.forget()  # the old server
            self._services.dialer.release(plan.endpoint)
        if (present := self.attempts.present) is not None and present.watch is not None:
            present.watch.update(plan.keepalive)
            if present.ready_at is not None and plan.silence != before.silence:
                self._limit_silence(present)
        event = event_of_reload(
            self.snapshot,
            dials_otherwise=dials_otherwise,
            judges_otherwise=tokens_changed or plan.policy != before.policy,
            wanted=self.subscribers.wanted,
            rotates=plan.rotate is not None and not self.attempts.moving,
        )
        if event is None:
            return "updated"
        self.feed(event)
        return _EFFECTS[type(event)]

    def _step(self, event: UpstreamEvent) -> None:
        before = self.snapshot
        after, decided = step(before, event, self.plan.policy)
        self.snapshot = after
        moved = (after.state, after.generation) != (before.state, before.generation)
        if moved:
            self._retry.cancel()
            self.destination.unwatch()
            self._enter(before, after)
        if after != before:
            self.subscribers.mirror(after)
        self.health.changed(before, after)
        for command in decided:
            self._carry_out(command)
        if after.state is not S.READY:
            self._end_moves(closed=after.state in SETTLED or after.state is S.IDLE)
        if moved and after.state is S.READY and (present := self.attempts.present) is not None:
            self.regulate()
            self._limit_silence(present)
            present.pass_on_early()

    def _limit_silence(self, attempt: Attempt) -> None:
        clock, schedule = self._services.clock, self._services.schedule
        attempt.limit_silence(self.plan.silence, clock, schedule, lambda: self.subscribers.paused)

    def _enter(self, before: Snapshot, after: Snapshot) -> None:
        """Do what belongs to a state, or a connection, before the channels show it."""
        self._rotation.cancel()
        if after.state is S.OFFLINE:
            self.destination.watch(delay_for(self.plan.backoff, max(1, after.attempt), self._services.chance))
        elif after.state is S.IDLE:
            self.destination.forget()  # the next use may be much later
        if after.state is not S.READY:
            self.subscribers.wait_no_more()
            return
        successor = self.attempts.successor
        if before.state is S.READY:
            if successor is not None and successor.generation == after.generation:  # else it falls back to the last one
                self.attempts.succeed()
        elif (present := self.attempts.present) is not None:
            present.taken_over = self.health.handed_over()
        self.roster.subscribe_all()
        if (present := self.attempts.present) is not None:
            self._rotation.start(self.plan.rotate, present.record.expires_at)

    def _end_moves(self, *, closed: bool) -> None:
        """Close the connections whose channels can move to no next one; ``closed``: receive nothing more over them."""
        for old in self.attempts.draining:
            self.roster.ended(old, CLOSED)
        self.attempts.stop_draining() if closed else self.attempts.close_drained()

    def _carry_out(self, command: commands.UpstreamCommand) -> None:  # noqa: C901 - one case a command
        match command:
            case commands.DialNext(generation=generation, by_hand=by_hand):
                if by_hand or self.destination.is_reachable():
                    self.attempts.dial(generation, self.request(by_hand=by_hand))
                    self.health.dialled()
                else:
                    self.feed(events.NetworkLost())
            case commands.Hangup(generation=generation):
                over, present = self.snapshot.state in (S.IDLE, S.FAILED, S.DONE), self.attempts.present
                if present is not None and present.generation == generation:
                    self._end_moves(closed=True)
                if (attempt := self.attempts.hang_up(generation, final=over)) is not None:
                    self.roster.ended(attempt, CLOSED)
            case commands.ScheduleRetry() | commands.ScheduleLook():
                self._schedule(command)
            case commands.ForgetTokens(generation=generation):
                self.attempts.forget_tokens(generation)
            case commands.ForgetSession():
                self.attempts.session.forget()
            case commands.DialSuccessor(generation=generation):
                self.attempts.dial_successor(generation, self.request(lasting=least_life(self.plan.rotate)))
            case commands.Succeed() if self.attempts.successor is not None:
                self.attempts.succeed()
            case commands.ScheduleRotation():
                self._rotation.retry(self.plan.backoff, command)
            case commands.Probe():
                self.probe()

    def forget_tokens(self, versions: Mapping[str, int]) -> None:
        """Invalidate tokens that one channel used."""
        for name, version in versions.items():
            self._services.broker.invalidate(name, version)

    def request(self, *, lasting: float = 0.0, by_hand: bool = False) -> DialRequest:
        """Give what is dialled now, with tokens that last so many seconds."""
        return DialRequest(self.plan, self.params, self.subscribers.critical, lasting, by_hand, values=self.values)

    def _rotation_due(self) -> None:
        if self.attempts.moving:
            self._rotation.retry(self.plan.backoff, commands.ScheduleRotation(self.snapshot.generation, 1, 0.0))
        else:
            self.feed(events.RotationDue(self.snapshot.generation, self.healthy_for))

    def _schedule(self, command: commands.ScheduleRetry | commands.ScheduleLook) -> None:
        may_go_offline = self.snapshot.state is S.WAITING and not self.snapshot.no_sooner and self.subscribers.wanted
        if may_go_offline and not self.destination.is_reachable():
            self.feed(events.NetworkLost())
            return
        delay = retry_delay(self.plan.backoff, command, self.snapshot.failure, self._services.chance)
        self.attempts.trace.waiting(delay, self.snapshot.attempt)
        self._retry.start(delay, lambda: self.feed(events.RetryDue(command.generation, self.subscribers.wanted)))
        self.feed(events.RetryScheduled(command.generation, delay, self._services.clock.wall() + delay))

    def _crashed(self, error: BaseException) -> None:
        self.feed(events.TaskCrashed(f"an error of wscli itself: {type(error).__name__}; `wscli logs` has more"))
