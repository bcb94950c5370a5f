"""One channel: who uses it, what came over it, and how to send on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from wscli.config.plan import ChannelPlan
from wscli.core.events import (
    Event,
    Failure,
    LingerElapsed,
    PauseRequested,
    RedialRequested,
    ReplaceRequested,
    ResumeRequested,
    StartRequested,
    StopRequested,
    Used,
)
from wscli.core.machine import reason_code
from wscli.core.snapshot import Snapshot
from wscli.core.states import SETTLED, ChannelState
from wscli.daemon.channel.announcer import Announcer
from wscli.daemon.channel.backpressure import Backpressure
from wscli.daemon.channel.counters import Counters, Totals
from wscli.daemon.channel.intake import Intake
from wscli.daemon.channel.reports import channel_stats, channel_status
from wscli.daemon.upstream.refs import Refs
from wscli.daemon.upstream.services import Services
from wscli.daemon.upstream.upstream import Connection
from wscli.errors import AuthError, ChannelUnavailable, NoInstance, NotSent, OutcomeUnknown, UnknownChannel, WscliError
from wscli.problems import Problems
from wscli.timing import OneShot
from wscli.transport.link import Link
from wscli.values import format_duration

__all__ = ["Applied", "Channel"]

Applied = Literal["updated", "rotated", "restarted"]
"""What a changed plan did: a policy, the next connection beside the present one, or another one in its place."""

S = ChannelState


class Channel:
    """A declared channel, or one instance of a template."""

    def __init__(
        self,
        name: str,
        plan: ChannelPlan,
        params: Mapping[str, str],
        services: Services,
        *,
        announce_after: float,
        totals: Totals,
        on_change: Callable[[Channel], None],
        after: asyncio.Task[None] | None = None,
    ) -> None:
        """``after`` is what must end before anything is dialled: the close of a removed channel of that name.

        What is counted of it is counted in ``totals`` too, under the declared name.
        """
        self.name = name
        self.plan = plan
        self.counters = Counters(totals.of(plan.name))
        self.refs = Refs()
        self.readers = 0
        self.removed = False
        self._shut = False
        self.since = services.clock.wall()
        self.problems = Problems(name, on_change=self._changed)
        """What is wrong beside its state, such as a hook that fails."""
        self.hook_stats: dict[str, Callable[[], dict[str, int]]] = {}
        """What hooks count, by their names."""
        self.outbox = {"queued": 0, "expired": 0, "rejected": 0}
        """How many messages it has in the outbox, by state."""
        self.backpressure = Backpressure(self._hold_reading, self._overflow, services.clock, services.schedule)
        self.intake = Intake(name, plan, params, services, self.counters, self.problems, self.backpressure)
        self.history = self.intake.history
        self.announcer = Announcer(name, after=announce_after, clock=services.clock, schedule=services.schedule)
        self.connection = Connection(plan, params, services, self, after=after)
        self._services = services
        self._totals = totals
        self._on_change = on_change
        self._uses = 0
        self._held_open = False
        self._linger = OneShot(services.schedule)
        self._waiters: dict[Callable[[], None], None] = {}

    # what it is

    @property
    def snapshot(self) -> Snapshot:
        """Where it stands, why, and what happens next."""
        return self.connection.snapshot

    @property
    def state(self) -> ChannelState:
        """Where it stands."""
        return self.snapshot.state

    @property
    def wanted(self) -> bool:
        """Whether it is to be open: eager, started by hand, or in use."""
        return self.plan.eager or self._held_open or self._uses > 0

    @property
    def kept_open(self) -> bool:
        """Whether it is wanted, or in its linger."""
        return self.wanted or self._linger.pending

    @property
    def in_use(self) -> bool:
        """Whether a reader or a sender holds it."""
        return self._uses > 0

    def unavailable(self) -> WscliError | None:
        """Why it is no use to wait for it, or None while it may still become ready."""
        if self.removed:
            return UnknownChannel(
                f"channel {self.name!r} was removed from the configuration", "`wscli status` lists the channels"
            )
        if self._shut:
            return NoInstance("the manager was stopped", "`wscli up` starts it again")
        snapshot = self.snapshot
        if snapshot.state not in SETTLED:
            return None
        kind = AuthError if snapshot.refused_credentials else ChannelUnavailable
        verb = "resume" if snapshot.state is S.PAUSED else "start"
        return kind(
            f"channel {self.name!r} is {snapshot.state}: {snapshot.reason.text}",
            f"`wscli {verb} {self.name}` opens it again",
        )

    # by hand

    def start(self) -> None:
        """Open it, whatever held it."""
        self._held_open = True
        self._feed(StartRequested())

    def stop(self) -> None:
        """Close it until ``start``."""
        self._held_open = False
        self._feed(StopRequested())

    def restart(self) -> None:
        """Close it and open it again; one that is not open is started."""
        if self._is_to_be_open():
            self._feed(RedialRequested("restarted by hand"))
        else:
            self.start()

    def pause(self) -> None:
        """Hold it until ``resume``; one that was stopped or failed stays as it is."""
        self._feed(PauseRequested())

    def resume(self) -> None:
        """End a pause."""
        self._feed(ResumeRequested(self.wanted))

    # by use

    @contextmanager
    def use(self) -> Iterator[None]:
        """Hold it in use: a lazy channel opens, and closes its linger after the last use."""
        self._uses += 1
        self._linger.cancel()
        self._feed(Used())
        try:
            yield
        finally:
            self._uses -= 1
            self._let_go()

    def open(self) -> None:
        """Open it, if it is eager."""
        if self.plan.eager:
            self._feed(Used())

    async def wait_for(self, states: Collection[ChannelState]) -> ChannelState:
        """Wait until it is in one of the states, or removed, and return its state; the caller bounds the wait."""
        if self.state in states or self.removed:
            return self.state
        done: asyncio.Future[ChannelState] = asyncio.get_running_loop().create_future()

        def look() -> None:
            if not done.done() and (self.state in states or self.removed):
                done.set_result(self.state)

        self._waiters[look] = None  # in the order of their coming
        try:
            return await done
        finally:
            del self._waiters[look]

    async def send(self, payload: bytes | Callable[[], bytes], *, binary: bool, timeout: float) -> None:
        """Hand a message to the open, ready connection.

        Args:
            payload: the message, or what makes it once it is handed over: in the order on the wire. Text must be UTF-8.
            binary: whether it goes as a binary message.
            timeout: seconds to wait for the channel to become ready, and for the write buffer to take the message.

        Raises:
            NotSent: it did not become ready in time, or the connection ended or was busy until then: nothing was
                written.
            OutcomeUnknown: the connection ended, or the time was up, after the message was handed over.
            ChannelUnavailable: it is failed, done, stopped or paused.
            AuthError: it failed for its credentials.

        """
        began = self._services.clock.monotonic()
        with self.use():
            link = await self._ready_link(timeout)
            while True:
                left = max(0.0, timeout - (self._services.clock.monotonic() - began))
                message = payload if isinstance(payload, bytes) else payload()
                try:
                    await link.send(message, binary=binary, timeout=left)
                    break
                except (NotSent, OutcomeUnknown) as error:
                    other = self.connection.link
                    if isinstance(error, NotSent) and left and other is not None and other is not link:
                        link = other
                        continue  # nothing was written, and a rotation opened another
                    hint = error.hint or "`wscli status` says how the channel is by now"
                    raise type(error)(f"channel {self.name!r}: {error.message}", hint) from None
            self.counters.count_sent(message)

    async def _ready_link(self, timeout: float) -> Link:
        try:
            async with asyncio.timeout(timeout):
                while (link := self.connection.link) is None:  # what was ready may be lost before its turn comes
                    await self.wait_for(SETTLED | {S.READY})
                    unavailable = self.unavailable()
                    if unavailable is not None:
                        raise unavailable
                return link
        except TimeoutError:
            raise NotSent(
                f"channel {self.name!r} was not ready within {format_duration(timeout)}:"
                f" {self.state}: {self.snapshot.reason.text}",
                "`wscli status` says what it waits for; --timeout waits longer",
            ) from None

    # its life

    def update(self, plan: ChannelPlan, params: Mapping[str, str], *, announce_after: float) -> Applied:
        """Take another plan; where it is connected otherwise, and rotates, the next connection is ready first."""
        was_eager = self.plan.eager
        self.intake.update(plan, params)
        self.plan = plan
        self.counters.total = self._totals.of(plan.name)
        self.announcer.after = announce_after
        redial = self.connection.update(plan, params) and self._is_to_be_open()
        rotates = redial and plan.upstream.rotate is not None and self.state is S.READY
        if redial:
            event = ReplaceRequested if rotates else RedialRequested
            self._feed(event("the configuration changed"))
        if plan.eager and not was_eager:
            self.open()
        elif was_eager and not plan.eager:
            self._let_go()
        return "rotated" if rotates else "restarted" if redial else "updated"

    def remove(self) -> None:
        """End it for good: its readers are told, and its connection is closed."""
        self.removed = True
        self.shut()
        self._changed()

    def shut(self) -> None:
        """Close its connection and its timers, without a word: the channel or the manager goes."""
        self.announcer.close()
        self._linger.cancel()
        self.backpressure.reset()
        self._feed(StopRequested())
        self.intake.close()
        self._shut = True

    # what the connection tells (connection.Hooks)

    def state_changed(self, before: Snapshot, after: Snapshot) -> None:
        """Keep the books of a step: outages, announcements, waiters."""
        now = self._services.clock.wall()
        if after.state is not before.state:
            self.since = now
            if before.state is S.READY:
                self.intake.lost(now, deliberate=after.state in (S.PAUSED, S.STOPPED, S.IDLE))
            if after.state is S.READY:
                self.intake.listening(now)
        self.announcer.changed(before, after)
        if after.state is not S.WAITING or after.next.at is not None:  # the wait is drawn in the same turn
            self._changed()

    def received(self, payloads: list[bytes], kinds: bytes | None) -> None:
        """Take messages in."""
        self.intake.received(payloads, kinds)

    def connected(self) -> None:
        """Count it."""
        self.counters.count_connection()

    def rotated(self, old: Link | None) -> None:
        """Count it, and hold the new connection back where the old one was; that closes, and so reads on."""
        self.counters.count_rotation()
        if self.backpressure.holding:
            if old is not None:
                old.resume_reading()
            self._hold_reading(True)

    def ended(self, failure: Failure) -> None:
        """Keep how the connection ended, and why: where we left it, the state tells it already."""
        left = self.state not in (S.HANDSHAKING, S.READY)
        self.counters.count_end(failure, self.snapshot.reason.code if left else reason_code(failure))
        self.backpressure.reset()

    def measured(self, rtt: float) -> None:
        """Keep the round-trip time."""
        self.counters.rtt = rtt

    # for itself

    def _feed(self, event: Event) -> None:
        if not self._shut:
            self.connection.feed(event)

    def _changed(self) -> None:
        for look in tuple(self._waiters):
            look()
        self._on_change(self)

    def _is_to_be_open(self) -> bool:
        """Whether it is open or on its way there; what only waits as the server asked, for nobody, is not."""
        return self.kept_open and self.state not in SETTLED and self.state is not S.IDLE

    def _let_go(self) -> None:
        """Close it its linger from now, unless somebody wants it by then."""
        if not self.wanted and not self._shut:
            self._linger.start(self.plan.linger, self._lingered)

    def _lingered(self) -> None:
        if not self.wanted:
            self._feed(LingerElapsed())

    def _hold_reading(self, holding: bool) -> None:
        """Pause or resume reading on the open connection, if there is one."""
        if (link := self.connection.link) is not None:
            (link.pause_reading if holding else link.resume_reading)()

    def _overflow(self) -> None:
        self.intake.overflow()

    def status(self) -> dict[str, Any]:
        """The object of ``status --json``."""
        return channel_status(self)

    def stats(self) -> dict[str, Any]:
        """The channel's part of ``stats --json``."""
        return channel_stats(self, self._services.clock.wall())
