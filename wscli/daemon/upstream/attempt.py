"""One generation of a channel's connection: from its dial to its end, and never again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from wscli.core.events import Failure
from wscli.daemon.upstream.dialer import AttemptRecord
from wscli.daemon.upstream.keepalive import KeepaliveWatch
from wscli.daemon.upstream.scrub import scrubbed
from wscli.transport.link import Link

__all__ = ["Attempt"]


class _Owner(Protocol):
    def attempt_received(self, payloads: list[bytes], kinds: bytes | None) -> None: ...
    def attempt_ended(self, attempt: Attempt, failure: Failure) -> None: ...


class Attempt:
    """The listener of one link, and what belongs to it: its task, its record, its place on the keep-alive wheel.

    Messages and an end that come while the link is still being opened are kept until ``ready``. Once ``retire`` was
    called, or the end reported, nothing of it reaches the channel any more.
    """

    __slots__ = (
        "_early",
        "_end",
        "_owner",
        "_retired",
        "_superseded",
        "generation",
        "link",
        "ready_at",
        "record",
        "task",
        "watch",
    )

    def __init__(self, generation: int, record: AttemptRecord, owner: _Owner) -> None:
        self.generation = generation
        self.record = record
        self.link: Link | None = None
        self.task: asyncio.Task[None] | None = None
        self.watch: KeepaliveWatch | None = None
        self.ready_at: float | None = None
        self._owner = owner
        self._early: list[tuple[list[bytes], bytes | None]] = []
        self._end: Failure | None = None
        self._retired = False
        self._superseded = False

    def on_batch(self, payloads: list[bytes], kinds: bytes | None) -> None:
        """Pass messages on."""
        if self._retired:
            return
        if self.ready_at is None:
            self._early.append((payloads, kinds))
        else:
            self._owner.attempt_received(payloads, kinds)

    def on_end(self, failure: Failure) -> None:
        """Report the end, once, with the cause that ``fail`` gave where it did."""
        self._unwatch()
        self._end = self._end or scrubbed(failure, self.record.secrets)
        if self.link is not None:
            self._report(self._end)

    def ready(self, link: Link, now: float, announce: Callable[[], None]) -> None:
        """Take the open link; ``announce`` runs before the first message is passed on."""
        self.link = link
        if self._retired:
            return  # ``hang_up`` closes it
        self.ready_at = now
        announce()
        for payloads, kinds in self._early:
            self.on_batch(payloads, kinds)
        self._early.clear()
        if self._end is not None:
            self._report(self._end)

    def fail(self, failure: Failure) -> None:
        """End it for a cause of our own: the link is dropped at once, and the cause reported instead of the drop."""
        self._end = self._end or failure
        if self.link is not None:
            self.link.abort()
        self._report(self._end)

    def _report(self, failure: Failure) -> None:
        self._unwatch()
        if not self._retired and not self._superseded:
            self._retired = True
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
        """Pass on what still comes, and report no end: another took its place; ``hang_up`` is to follow."""
        self._superseded = True
        self._unwatch()

    def retire(self) -> None:
        """Let nothing of it reach the channel from now on; ``hang_up`` is to follow."""
        self._retired = True
        self._unwatch()

    async def hang_up(self, deadline: float) -> None:
        """Close what is open, or stop opening it, within ``deadline`` seconds; cancelled, it drops what is open."""
        try:
            if self.link is None and self.task is not None:
                self.task.cancel()
                await asyncio.wait([self.task])
            if self.link is not None:
                await self.link.close(1000, deadline=deadline)
        finally:
            if self.link is not None:
                self.link.abort()  # without effect on one that is closed
