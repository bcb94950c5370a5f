"""The attempts of one upstream: the present one, the successor beside it, and those that drain after a rotation.

An attempt starts when the connection before it is closed, at most a second after that was asked for, unless it says bye
first. Only a successor is opened beside a ready connection, which then drains until its channels have moved.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace

from wscli.core.failures import Failure, FailureKind
from wscli.core.states import ChannelState, Snapshot
from wscli.daemon.upstream.attempts.attempt import Attempt, AttemptListener, AttemptOpening
from wscli.daemon.upstream.attempts.trace import Trace
from wscli.daemon.upstream.dial.destination import Destination
from wscli.daemon.upstream.dial.dialer import CLOSE_DEADLINE, AttemptRecord, DialRequest
from wscli.daemon.upstream.services import Services
from wscli.daemon.upstream.session.seam import SessionFailed, UpstreamSession
from wscli.tokens.errors import TokenFailed
from wscli.transport.connection import DialError

__all__ = ["Attempts"]


class Attempts:
    """Starts attempts and ends them, in tasks of its own.

    ``after`` is a task to await before the first dial; ``on_crash`` is called with the error that a task ended with.
    ``open_with`` gives what opens the connection of an attempt.
    """

    __slots__ = (
        "_closing", "_destination", "_listener", "_name", "_on_crash", "_open_with", "_services", "_succeeded_at",
        "draining", "ended", "last_record", "lent", "present", "session", "successor", "trace",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        services: Services,
        listener: AttemptListener,
        destination: Destination,
        trace: Trace,
        session: UpstreamSession,
        *,
        open_with: Callable[[Attempt], AttemptOpening],
        on_crash: Callable[[BaseException], None],
        after: asyncio.Task[None] | None,
    ) -> None:
        self.present: Attempt | None = None
        self.successor: Attempt | None = None
        self.draining: list[Attempt] = []
        """The connections that successors replaced, until they are closed; hardly ever more than one."""
        self.session = session
        self.ended: dict[int, AttemptRecord] = {}
        """The records of attempts whose end is being judged."""
        self.lent: dict[str, int] = {}
        """The versions of the tokens that hooks of its channels asked for, by name: any attempt may have used them."""
        self.last_record: AttemptRecord | None = None
        self.trace = trace
        self._name = name
        self._destination = destination
        self._services = services
        self._listener = listener
        self._on_crash = on_crash
        self._open_with = open_with
        self._closing = after
        self._succeeded_at = 0.0

    @property
    def closing(self) -> asyncio.Task[None] | None:
        """The task that ends when every close under way has ended; None where there is none."""
        return None if self._closing is None or self._closing.done() else self._closing

    @property
    def holds_a_connection(self) -> bool:
        """Whether a connection is open, or still being closed."""
        return (self.present is not None and self.present.connection is not None) or self.closing is not None

    def dial(self, generation: int, request: DialRequest) -> None:
        """Dial, as soon as every close under way has ended."""
        if self.present is not None:
            raise RuntimeError(f"attempt {self.present.generation} of {self._name!r} is still alive")
        self.present = self._new(generation)
        self._start(self.present, request)

    def dial_successor(self, generation: int, request: DialRequest) -> None:
        """Dial beside the ready connection, if a route leads to the server."""
        self.successor = self._new(generation)
        if self._destination.is_reachable():
            self._start(self.successor, request)
        else:
            self.successor.fail(Failure(FailureKind.TCP, "no network leads to the server"))

    @property
    def open(self) -> tuple[Attempt, ...]:
        """Those with a channel on them: the present one, and those that drain, the newest first."""
        return (*(() if self.present is None else (self.present,)), *reversed(self.draining))

    @property
    def moving(self) -> bool:
        """Whether channels are moving from one connection to the next."""
        return any(not old.closing for old in self.draining)

    def succeed(self) -> None:
        """Put the successor in the place of the present attempt, which drains until ``close_drained``."""
        old, self.present, self.successor = self.present, self.successor, None
        if old is not None:
            old.superseded = True
            self.draining.append(old)
            self._succeeded_at = self._services.clock.wall()

    def fall_back(self) -> int | None:
        """Have the connection before be the present one again, if it still carries channels, and give its generation.

        The present one has ended.
        """
        old = next((one for one in reversed(self.draining) if not one.closing), None)
        if old is None:
            return None
        self.draining.remove(old)
        self.present, old.superseded = old, False
        return old.generation

    def close_drained(self, *, all_of_them: bool = False) -> None:
        """Close the connections that successors replaced, once no channel is on them."""
        for old in self.draining:
            if not old.closing and (all_of_them or not old.members):
                old.closing = True
                self.trace.closed("closed by us, the next connection being ready")
                self._closing = self._services.tasks.spawn(
                    self._drain(old, self._closing), name=f"drain {self._name}", on_crash=self._on_crash
                )

    def describe_successor(self, snapshot: Snapshot) -> tuple[str, float] | None:
        """Give the state of the successor and its start, from its dial until the connection before it is closed."""
        if self.draining and snapshot.state is ChannelState.READY:
            return str(ChannelState.READY), self._succeeded_at
        if self.successor is not None and snapshot.successor is not None:
            return str(snapshot.successor.state), self.successor.record.started
        return None

    def hang_up(self, generation: int, *, final: bool) -> Attempt | None:
        """Close the connection of an attempt, or cancel its dial, and give the attempt; None for an unknown one.

        ``final`` says that it is not dialled again: a ready session says bye, and its messages flow on meanwhile.
        """
        attempt = self.present
        if self.successor is not None and self.successor.generation == generation:
            attempt, self.successor = self.successor, None
        elif attempt is not None and attempt.generation == generation:
            self.present = None
        else:
            return None
        self.trace.closed("dial given up" if attempt.connection is None else "closed by us")
        attempt.final = final and attempt.ready_at is not None and attempt.session.receive is not None
        if attempt.final:
            attempt.superseded = True
        else:
            attempt.retire()  # now: before the task below starts, it may still open, or receive
        self._closing = self._services.tasks.spawn(
            self._close(attempt, self._closing), name=f"close {self._name}", on_crash=self._on_crash
        )
        return attempt

    def stop_draining(self) -> None:
        """Receive no more messages over the connections that drain."""
        self.close_drained(all_of_them=True)
        for old in self.draining:
            old.retire()

    def newest_token(self, generation: int) -> int:
        """Give the newest version of the tokens that an attempt used; 0: it used none."""
        return max(self._tokens_of(generation).values(), default=0)

    def forget_tokens(self, generation: int) -> None:
        """Invalidate exactly the tokens that an attempt used."""
        for name, version in self._tokens_of(generation).items():
            self._services.broker.invalidate(name, version)
        self.lent.clear()

    def _tokens_of(self, generation: int) -> Mapping[str, int]:
        alive = {one.generation: one.record for one in (self.present, self.successor) if one is not None}
        record = alive.get(generation) or self.ended.get(generation)
        return self.lent if record is None else {**self.lent, **record.tokens}

    def discard(self, attempt: Attempt) -> None:
        """Forget an attempt that has ended, but for its record."""
        self.ended[attempt.generation] = attempt.record
        if (failure := attempt.record.failure) is not None and attempt.connection is None:
            self.trace.failed(failure)
        elif failure is not None:
            self.trace.closed(failure.text)
        if self.present is attempt:
            self.present = None
        if self.successor is attempt:
            self.successor = None

    def _new(self, generation: int) -> Attempt:
        record = self.last_record = AttemptRecord(started=self._services.clock.wall())
        attempt = Attempt(generation, record, self._listener)
        attempt.opening = opening = self._open_with(attempt)
        attempt.session = self.session.attempt(record, opening)
        return attempt

    def _start(self, attempt: Attempt, request: DialRequest) -> None:
        self.trace.dialling(request.plan.dial.shown_address(request.params))
        if attempt.session.receive is not None:
            request = replace(request, prepare=attempt.session.prepare)
        attempt.task = self._services.tasks.spawn(
            self._run(attempt, request, self._closing), name=f"dial {self._name}", on_crash=self._on_crash
        )

    async def _run(self, attempt: Attempt, request: DialRequest, previous: asyncio.Task[None] | None) -> None:
        if previous is not None:
            await asyncio.wait([previous])

        def progress(code: str, text: str) -> None:
            self._listener.progressed(attempt, code, text)

        try:
            connection = await self._services.dialer.dial(request, attempt, attempt.record, progress)
        except (DialError, TokenFailed, SessionFailed) as error:
            self._learn_addresses(attempt)
            verdict = error.verdict if isinstance(error, SessionFailed) else None
            if verdict is None:
                attempt.fail(error.failure)
            else:
                self.trace.failed(error.failure)
                attempt.opening.judged(verdict, error.failure)
            return
        self._learn_addresses(attempt)
        self.trace.opened(attempt.record)
        attempt.opened(connection)

    def _learn_addresses(self, attempt: Attempt) -> None:
        if attempt in (self.present, self.successor):  # one that was hung up may have dialled another server
            self._destination.learn(attempt.record.timeline)

    async def _drain(self, attempt: Attempt, previous: asyncio.Task[None] | None) -> None:
        try:
            await self._close(attempt, previous)
        finally:
            self.draining.remove(attempt)

    async def _close(self, attempt: Attempt, previous: asyncio.Task[None] | None) -> None:
        await attempt.hang_up(CLOSE_DEADLINE)
        if previous is not None:  # the next dial waits for every close before it
            await asyncio.wait([previous])
