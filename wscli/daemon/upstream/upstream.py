"""The shell around the machine: it carries out what the machine decides, and reports what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from wscli.config.plan import ChannelPlan
from wscli.core.backoff import delay_for
from wscli.core.commands import (
    Command,
    Dial,
    DialSuccessor,
    ForgetTokens,
    Hangup,
    Probe,
    ScheduleRetry,
    ScheduleRotation,
    Succeed,
)
from wscli.core.events import (
    AttemptEnded,
    AttemptProgressed,
    Event,
    Failure,
    FailureKind,
    HandshakeDone,
    NetworkLost,
    NetworkReturned,
    Opened,
    RetryDue,
    RetryScheduled,
    RotationDue,
    TaskCrashed,
)
from wscli.core.machine import Policy, step
from wscli.core.snapshot import Snapshot
from wscli.core.states import SETTLED, ChannelState
from wscli.daemon.upstream.attempt import Attempt
from wscli.daemon.upstream.attempts import CLOSE_DEADLINE, Attempts
from wscli.daemon.upstream.dialer import AttemptRecord
from wscli.daemon.upstream.keepalive import KeepaliveWatch
from wscli.daemon.upstream.rotation_timer import SHORTEST, Rotation
from wscli.daemon.upstream.services import Services
from wscli.timing import Timer
from wscli.tokens.errors import TokenFailed
from wscli.transport.link import ConnectionListener, DialError, Link
from wscli.values import format_duration

__all__ = ["Connection", "Hooks"]


class Hooks(Protocol):
    """What a connection tells its channel, and what it asks of it."""

    @property
    def kept_open(self) -> bool:
        """Whether it is to be dialled once more."""

    def state_changed(self, before: Snapshot, after: Snapshot) -> None:
        """The snapshot changed; called before the commands of the step are carried out."""

    def received(self, payloads: list[bytes], kinds: bytes | None) -> None:
        """Messages came."""

    def connected(self) -> None:
        """The connection is open; its first message is still to come."""

    def rotated(self, old: Link | None) -> None:
        """A successor took the place of a connection, which closes now and is received from until it is closed."""

    def ended(self, failure: Failure) -> None:
        """An open connection ended."""

    def measured(self, rtt: float) -> None:
        """A pong came, this many seconds after its ping."""


class Connection:
    """A channel's connection."""

    def __init__(
        self,
        plan: ChannelPlan,
        params: Mapping[str, str],
        services: Services,
        hooks: Hooks,
        *,
        after: asyncio.Task[None] | None = None,
    ) -> None:
        self.plan = plan
        self.snapshot = Snapshot()
        self.attempts = Attempts(services, self, on_crash=self._crashed, after=after)
        self._params = params
        self._services = services
        self._hooks = hooks
        self._events: list[Event] = []  # hardly ever more than two; a deque has room for 64, in each of many channels
        self._stepping = False
        self._succeeded_at = 0.0
        self._ended: dict[int, AttemptRecord] = {}
        """The records of those attempts whose end is being told to the machine."""
        self._rotation = Rotation(services.clock, services.chance, services.schedule, self._rotation_due)
        self._timer: Timer | None = None
        self._unhealthy_since: float | None = None
        self._offline_since = 0.0

    @property
    def last_attempt(self) -> AttemptRecord | None:
        """What is known of the attempt that was made last."""
        return self.attempts.last_record

    @property
    def addresses(self) -> tuple[str, ...]:
        """The IP addresses that the last dial could go to: the server's, or its proxy's."""
        return self.attempts.addresses

    @property
    def link(self) -> Link | None:
        """The open link, while the channel is ready."""
        present = self.attempts.present
        return present.link if present is not None and self.snapshot.state is ChannelState.READY else None

    @property
    def is_open(self) -> bool:
        """Whether a link is held open, or still being closed."""
        return self.attempts.holds_a_link

    @property
    def successor(self) -> tuple[str, float] | None:
        """The state of the successor and since when, from its dial until the connection before it is closed."""
        successor = self.attempts.successor
        if self.attempts.draining is not None and self.link is not None:
            return str(ChannelState.READY), self._succeeded_at
        if successor is not None and self.snapshot.successor is not None:
            return str(self.snapshot.successor.state), successor.record.started
        return None

    @property
    def closing(self) -> asyncio.Task[None] | None:
        """The task that ends when nothing is closing any more, while there is one."""
        return self.attempts.closing

    def feed(self, event: Event) -> None:
        """Take an event; one that comes while another is being carried out waits for its turn."""
        self._events.append(event)
        if self._stepping:
            return
        self._stepping = True
        try:
            while self._events:
                self._step(self._events.pop(0))
        finally:
            self._stepping = False
            self._ended.clear()

    def network_changed(self, reachable: Callable[[str], bool]) -> None:
        """Look whether a route leads to the server: dial or ping if one does, and wait for one otherwise."""
        self.feed(NetworkReturned() if self._leads_anywhere(reachable) else NetworkLost())

    def probe(self) -> None:
        """Ping at once, if it is open: the network changed, or the machine slept."""
        self._rotation.look(self.plan.upstream.rotate)
        if (watch := self._watch) is not None:
            watch.probe()

    def update(self, plan: ChannelPlan, params: Mapping[str, str]) -> bool:
        """Take another plan; say whether it is to be dialled anew for it."""
        anew = not plan.upstream.dial.opens_the_same(self.plan.upstream.dial) or params != self._params
        rotates_otherwise = plan.upstream.rotate != self.plan.upstream.rotate
        self.plan, self._params = plan, params
        if rotates_otherwise:
            self._rotation.look(plan.upstream.rotate)
        if anew:
            self.attempts.addresses = ()  # of the server as it was
        if (watch := self._watch) is not None:
            watch.update(plan.upstream.keepalive)
        return anew

    async def try_out(self, record: AttemptRecord, listener: ConnectionListener) -> None:
        """Open a second connection beside the channel's own, and close it; ``record`` tells how it went."""
        try:
            link = await self._services.dialer.dial(self.plan, self._params, listener, record, lambda code, text: None)
        except (DialError, TokenFailed) as error:
            record.failure = error.failure
        else:
            try:
                await link.close(1000, deadline=CLOSE_DEADLINE)
            finally:
                link.abort()  # without effect on one that is closed

    def _step(self, event: Event) -> None:
        before = self.snapshot
        policy = Policy(self.plan.upstream.backoff, self.plan.upstream.verdicts)
        self.snapshot, commands = step(before, event, policy)
        if self.snapshot.state is not ChannelState.WAITING or self.snapshot.generation != before.generation:
            self._cancel_timer()
        if self.snapshot != before:
            self._hooks.state_changed(before, self.snapshot)
        self._keep_time(before)
        for command in commands:
            self._carry_out(command)
        if self.snapshot.state in SETTLED or self.snapshot.state is ChannelState.IDLE:
            self.attempts.hear_no_more()
        self._keep_rotation(before)

    def _keep_time(self, before: Snapshot) -> None:
        """Mind since when it is without health: not since before it was forgiven, and not while it was offline."""
        after, now = self.snapshot, self._services.clock.monotonic()
        if after.generation != before.generation and after.failure is None:
            self._unhealthy_since = None
        was_offline, is_offline = before.state is ChannelState.OFFLINE, after.state is ChannelState.OFFLINE
        if is_offline and not was_offline:
            self._offline_since = now
        elif was_offline and not is_offline and self._unhealthy_since is not None:
            self._unhealthy_since += now - self._offline_since

    def _keep_rotation(self, before: Snapshot) -> None:
        """Count the age of each ready connection anew."""
        after = self.snapshot
        if (after.state, after.generation) != (before.state, before.generation):
            self._rotation.cancel()
            if after.state is ChannelState.READY and self.attempts.present is not None:
                self._rotation.begin(self.plan.upstream.rotate, self.attempts.present.record.expires_at)

    def _carry_out(self, command: Command) -> None:
        match command:
            case Dial(generation=generation):
                self._dial(generation)
            case Hangup(generation=generation):
                self._hang_up(generation)
            case ScheduleRetry():
                self._schedule(command)
            case ForgetTokens(generation=generation):
                for name, version in self._ended[generation].tokens.items():
                    self._services.broker.invalidate(name, version)
            case DialSuccessor(generation=generation):
                self._dial_successor(generation)
            case Succeed():
                self._succeed()
            case ScheduleRotation():
                delay = delay_for(self.plan.upstream.backoff, command.failures, self._services.chance)
                self._rotation.again(max(delay, command.no_sooner, SHORTEST))
            case Probe():
                self.probe()

    def _dial(self, generation: int) -> None:
        if not self._is_reachable():
            self.feed(NetworkLost())
            return
        self.attempts.begin(generation, self.plan, self._params)
        now = self._services.clock.monotonic()
        self._unhealthy_since = now if self._unhealthy_since is None else self._unhealthy_since

    def _rotation_due(self) -> None:
        ready_at = None if self.attempts.present is None else self.attempts.present.ready_at
        if ready_at is not None:
            healthy_for = self._services.clock.monotonic() - ready_at
            self.feed(RotationDue(self.snapshot.generation, healthy_for))

    def _dial_successor(self, generation: int) -> None:
        refused = None
        if not self._is_reachable():
            refused = Failure(FailureKind.TCP, "no network leads to the server")
        expiry = None if self.plan.upstream.rotate is None else self.plan.upstream.rotate.before_expiry
        # a token that is as good as due would have the successor replaced at once
        lasting = 0.0 if expiry is None else expiry + SHORTEST
        self.attempts.begin_successor(generation, self.plan, self._params, lasting=lasting, refused=refused)

    def _succeed(self) -> None:
        old = self.attempts.succeed(self.plan.name)
        if old is not None:
            self._succeeded_at = self._services.clock.wall()
            self._hooks.rotated(old.link)

    # what the attempts tell (attempts.Owner)

    def attempt_progressed(self, attempt: Attempt, code: str, text: str) -> None:
        """Let the machine, and so ``status``, know."""
        self.feed(AttemptProgressed(attempt.generation, code, text))

    def attempt_opened(self, attempt: Attempt) -> None:
        """Put it on the keep-alive wheel: there is no session to open, so that it is ready."""
        if attempt.link is None:
            raise RuntimeError(f"attempt {attempt.generation} of {self.plan.name!r} opened without a link")

        def dead() -> None:
            within = format_duration(self.plan.upstream.keepalive.timeout)
            attempt.fail(Failure(FailureKind.KEEPALIVE, f"no pong within {within}", code=1006, by="us"))

        attempt.watch = self._services.wheel.add(
            attempt.link, self.plan.upstream.keepalive, on_rtt=self._hooks.measured, on_dead=dead
        )
        if attempt is not self.attempts.successor:
            self._hooks.connected()
        self.feed(Opened(attempt.generation))
        self.feed(HandshakeDone(attempt.generation))

    def attempt_received(self, payloads: list[bytes], kinds: bytes | None) -> None:
        """Pass messages on."""
        self._hooks.received(payloads, kinds)

    def attempt_ended(self, attempt: Attempt, failure: Failure) -> None:
        """Report the end, with what the verdict depends on."""
        self.attempts.forget(attempt)
        self._ended[attempt.generation] = attempt.record
        now = self._services.clock.monotonic()
        healthy_for = 0.0
        if attempt.ready_at is not None:
            healthy_for = now - attempt.ready_at
            self._hooks.ended(failure)
        if healthy_for >= self.plan.upstream.backoff.reset_after:
            self._unhealthy_since = now
        without_health = now - (self._unhealthy_since if self._unhealthy_since is not None else now)
        self.feed(
            AttemptEnded(
                attempt.generation,
                failure,
                healthy_for=healthy_for,
                without_health=without_health,
                token_used=bool(attempt.record.tokens),
            )
        )

    def _hang_up(self, generation: int) -> None:
        attempt = self.attempts.hang_up(generation, self.plan.name)
        if attempt is not None and attempt.ready_at is not None:
            self._hooks.ended(Failure(FailureKind.CLOSE, "closed by us", code=1000, by="us"))

    def _schedule(self, command: ScheduleRetry) -> None:
        if not command.no_sooner and not self._is_reachable():
            self.feed(NetworkLost())
            return
        delay = max(delay_for(self.plan.upstream.backoff, command.attempt, self._services.chance), command.no_sooner)
        at = self._services.clock.wall() + delay
        self._timer = self._services.schedule(
            delay, lambda: self.feed(RetryDue(command.generation, self._hooks.kept_open))
        )
        self.feed(RetryScheduled(command.generation, delay, at))

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def _watch(self) -> KeepaliveWatch | None:
        return None if self.attempts.present is None else self.attempts.present.watch

    def _is_reachable(self) -> bool:
        return self._leads_anywhere(self._services.reachable)

    def _leads_anywhere(self, reachable: Callable[[str], bool]) -> bool:
        """Whether a route leads to one of its addresses; addresses that nobody knows yet are taken for reachable."""
        return not self.addresses or any(map(reachable, self.addresses))

    def _crashed(self, error: BaseException) -> None:
        self.feed(TaskCrashed(f"an error of wscli itself: {type(error).__name__}; `wscli logs` has more"))
