"""The attempts of one upstream: the present one, the successor beside it, and the one that drains after a rotation.

An attempt starts when the connection before it is closed, at most a second after that was asked for. Only a successor
is opened beside a ready connection, which then drains for a second at most.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from wscli.core.failures import Failure, FailureKind
from wscli.core.states import ChannelState, Snapshot
from wscli.daemon.upstream.attempt import Attempt, AttemptListener
from wscli.daemon.upstream.dial.destination import Destination
from wscli.daemon.upstream.dial.dialer import CLOSE_DEADLINE, AttemptRecord, DialRequest
from wscli.daemon.upstream.services import Services
from wscli.daemon.upstream.trace import Trace
from wscli.tokens.errors import TokenFailed
from wscli.transport.connection import DialError

__all__ = ["Attempts"]


class Attempts:
    """Starts attempts and ends them, in tasks of its own.

    ``after`` is a task to await before the first dial; ``on_crash`` is called with the error that a task ended with.
    """

    __slots__ = (
        "_closing", "_destination", "_listener", "_name", "_on_crash", "_services", "_succeeded_at", "draining",
        "ended", "last_record", "lent", "present", "successor", "trace",
    )  # fmt: skip

    def __init__(
        self,
        name: str,
        services: Services,
        listener: AttemptListener,
        destination: Destination,
        trace: Trace,
        *,
        on_crash: Callable[[BaseException], None],
        after: asyncio.Task[None] | None,
    ) -> None:
        self.present: Attempt | None = None
        self.successor: Attempt | None = None
        self.draining: Attempt | None = None
        """The connection that a successor replaced, until it is closed."""
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

    def succeed(self) -> Attempt | None:
        """Put the successor in the place of the present attempt, and give that one: it drains, and closes."""
        old, self.present, self.successor = self.present, self.successor, None
        if old is not None:
            old.supersede()
            self.draining = old
            self._succeeded_at = self._services.clock.wall()
            self.trace.closed("closed by us, the next connection being ready")
            self._closing = self._services.tasks.spawn(
                self._drain(old, self._closing), name=f"drain {self._name}", on_crash=self._on_crash
            )
        return old

    def describe_successor(self, snapshot: Snapshot) -> tuple[str, float] | None:
        """Give the state of the successor and its start, from its dial until the connection before it is closed."""
        if self.draining is not None and snapshot.state is ChannelState.READY:
            return str(ChannelState.READY), self._succeeded_at
        if self.successor is not None and snapshot.successor is not None:
            return str(snapshot.successor.state), self.successor.record.started
        return None

    def hang_up(self, generation: int) -> Attempt | None:
        """Close the connection of an attempt, or cancel its dial, and give the attempt; None for an unknown one."""
        attempt = self.present
        if self.successor is not None and self.successor.generation == generation:
            attempt, self.successor = self.successor, None
        elif attempt is not None and attempt.generation == generation:
            self.present = None
            self.stop_draining()
        else:
            return None
        self.trace.closed("dial given up" if attempt.connection is None else "closed by us")
        attempt.retire()  # now: before the task below starts, it may still open, or receive
        self._closing = self._services.tasks.spawn(
            self._close(attempt, self._closing), name=f"close {self._name}", on_crash=self._on_crash
        )
        return attempt

    def stop_draining(self) -> None:
        """Receive no more messages over the connection that drains."""
        if self.draining is not None:
            self.draining.retire()

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
        return Attempt(generation, record, self._listener)

    def _start(self, attempt: Attempt, request: DialRequest) -> None:
        self.trace.dialling(request.plan.dial.shown_address(request.params))
        attempt.task = self._services.tasks.spawn(
            self._run(attempt, request, self._closing), name=f"dial {self._name}", on_crash=self._on_crash
        )

    async def _run(self, attempt: Attempt, request: DialRequest, previous: asyncio.Task[None] | None) -> None:
        if previous is not None:
            await asyncio.wait([previous])

        def progress(code: str, text: str) -> None:
            self._listener.attempt_progressed(attempt, code, text)

        try:
            connection = await self._services.dialer.dial(request, attempt, attempt.record, progress)
        except (DialError, TokenFailed) as error:
            self._learn_addresses(attempt)
            attempt.fail(error.failure)
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
            attempt.retire()
            self.draining = None

    async def _close(self, attempt: Attempt, previous: asyncio.Task[None] | None) -> None:
        await attempt.hang_up(CLOSE_DEADLINE)
        if previous is not None:  # the next dial waits for every close before it
            await asyncio.wait([previous])
