"""The attempts of one channel: the present one, the successor beside it, and the one that drains after a rotation.

A new attempt begins only when the one before it is closed, or was aborted after a second; only a successor is opened
beside a ready connection, which drains for as long once that is ready.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

from wscli.config.plan import ChannelPlan
from wscli.core.events import Failure
from wscli.daemon.upstream.attempt import Attempt
from wscli.daemon.upstream.dialer import AttemptRecord
from wscli.daemon.upstream.services import Services
from wscli.tokens.errors import TokenFailed
from wscli.transport.link import DialError

__all__ = ["CLOSE_DEADLINE", "Attempts", "Owner"]

CLOSE_DEADLINE = 1.0
"""Seconds that a close handshake may take before the connection is dropped."""


class Owner(Protocol):
    """Whom the attempts report to."""

    def attempt_progressed(self, attempt: Attempt, code: str, text: str) -> None:
        """It does something that may take long."""

    def attempt_opened(self, attempt: Attempt) -> None:
        """Its link is open; its first message is still to come."""

    def attempt_received(self, payloads: list[bytes], kinds: bytes | None) -> None:
        """Messages came."""

    def attempt_ended(self, attempt: Attempt, failure: Failure) -> None:
        """It is over; reported once, and not of one that was hung up or superseded."""


class Attempts:
    """Begins attempts and ends them, in tasks of its own.

    ``after`` is what must end before anything is dialled; ``on_crash`` is told the error that a task ended with.
    """

    def __init__(
        self,
        services: Services,
        owner: Owner,
        *,
        on_crash: Callable[[BaseException], None],
        after: asyncio.Task[None] | None,
    ) -> None:
        self.present: Attempt | None = None
        self.successor: Attempt | None = None
        self.draining: Attempt | None = None
        """The connection whose place another took, until it is closed."""
        self.last_record: AttemptRecord | None = None
        self.addresses: tuple[str, ...] = ()
        """The IP addresses that the last dial could go to: the server's, or its proxy's."""
        self._services = services
        self._owner = owner
        self._on_crash = on_crash
        self._closing = after

    @property
    def closing(self) -> asyncio.Task[None] | None:
        """The task that ends when nothing is closing any more, while there is one."""
        return None if self._closing is None or self._closing.done() else self._closing

    @property
    def holds_a_link(self) -> bool:
        """Whether a link is held open, or still being closed."""
        return (self.present is not None and self.present.link is not None) or self.closing is not None

    def begin(self, generation: int, plan: ChannelPlan, params: Mapping[str, str]) -> None:
        """Dial, once what is closing is closed."""
        if self.present is not None:
            raise RuntimeError(f"attempt {self.present.generation} of {plan.name!r} is still alive")
        self.present = self._new(generation)
        self._start(self.present, plan, params)

    def begin_successor(
        self, generation: int, plan: ChannelPlan, params: Mapping[str, str], *, lasting: float, refused: Failure | None
    ) -> None:
        """Dial beside the ready connection, with tokens that last so many seconds; ``refused`` says why it cannot."""
        self.successor = self._new(generation)
        if refused is not None:
            self.successor.fail(refused)
        else:
            self._start(self.successor, plan, params, lasting=lasting)

    def succeed(self, name: str) -> Attempt | None:
        """Let the successor take its place, and give what was connected until now: that drains, and closes."""
        old, self.present, self.successor = self.present, self.successor, None
        if old is not None:
            old.supersede()
            self.draining = old
            self._closing = self._services.tasks.spawn(
                self._drain(old, self._closing), name=f"drain {name}", on_crash=self._on_crash
            )
        return old

    def hang_up(self, generation: int, name: str) -> Attempt | None:
        """Close what an attempt opened or is opening, and give it; None where there is none of that generation."""
        attempt = self.present
        if self.successor is not None and self.successor.generation == generation:
            attempt, self.successor = self.successor, None
        elif attempt is not None and attempt.generation == generation:
            self.present = None
            self.hear_no_more()
        else:
            return None
        attempt.retire()  # now: until the task below begins, it may still open, or receive
        self._closing = self._services.tasks.spawn(
            self._close(attempt, self._closing), name=f"close {name}", on_crash=self._on_crash
        )
        return attempt

    def hear_no_more(self) -> None:
        """Let what still comes over the connection that drains be the channel's no more."""
        if self.draining is not None:
            self.draining.retire()

    def forget(self, attempt: Attempt) -> None:
        """Hold one no more that has ended."""
        if self.present is attempt:
            self.present = None
        if self.successor is attempt:
            self.successor = None

    def _new(self, generation: int) -> Attempt:
        record = self.last_record = AttemptRecord(started=self._services.clock.wall())
        return Attempt(generation, record, self._owner)

    def _start(self, attempt: Attempt, plan: ChannelPlan, params: Mapping[str, str], *, lasting: float = 0.0) -> None:
        attempt.task = self._services.tasks.spawn(
            self._run(attempt, plan, params, self._closing, lasting), name=f"dial {plan.name}", on_crash=self._on_crash
        )

    async def _run(
        self,
        attempt: Attempt,
        plan: ChannelPlan,
        params: Mapping[str, str],
        previous: asyncio.Task[None] | None,
        lasting: float,
    ) -> None:
        if previous is not None:
            await asyncio.wait([previous])

        def progress(code: str, text: str) -> None:
            self._owner.attempt_progressed(attempt, code, text)

        try:
            link = await self._services.dialer.dial(plan, params, attempt, attempt.record, progress, lasting=lasting)
        except (DialError, TokenFailed) as error:
            self._learn_addresses(attempt)
            attempt.fail(error.failure)
            return
        self._learn_addresses(attempt)
        if attempt is self.successor and attempt.over is not None:
            attempt.link = link
            attempt.fail(attempt.over)  # it closed at once, and is no reason to give up one that is healthy
            return
        attempt.ready(link, self._services.clock.monotonic(), lambda: self._owner.attempt_opened(attempt))

    def _learn_addresses(self, attempt: Attempt) -> None:
        if attempt in (self.present, self.successor):  # another may be on its way to another server
            self.addresses = attempt.record.timeline.addresses or self.addresses

    async def _drain(self, attempt: Attempt, previous: asyncio.Task[None] | None) -> None:
        try:
            await self._close(attempt, previous)
        finally:
            attempt.retire()
            self.draining = None

    async def _close(self, attempt: Attempt, previous: asyncio.Task[None] | None) -> None:
        await attempt.hang_up(CLOSE_DEADLINE)
        if previous is not None:  # what is being closed must be gone too, before anything is dialled
            await asyncio.wait([previous])
