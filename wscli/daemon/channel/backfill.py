"""Filling a channel's gaps: what was missed is asked for, and let into the history before what came after it.

While an answer is awaited, what comes over the channel is held; past the declared ``hold``, or ``MOST_HELD`` bytes, it
is let in, and what was missed follows it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from wscli.backfill.models import BackfillModel
from wscli.config.plan import ChannelPlan
from wscli.daemon.channel.backfill_requests import Enquiry
from wscli.daemon.channel.dedupe import Dedupe
from wscli.daemon.upstream.services import Services
from wscli.history.engine import Engine
from wscli.problems import Problems
from wscli.timing import OneShot

__all__ = ["Backfill", "Sink"]

logger = logging.getLogger("wscli.channel")

MOST_HELD = 16 << 20
"""Bytes of messages that are held, each with ``OF_EACH`` beside its own."""
OF_EACH = 64
"""Bytes that a message takes beside its own."""
MOST_GAPS = 100
"""So many gaps are filled or wait for that."""
REMEMBERED = 100_000
"""So many ids are compared."""
AFTERWARDS = 30.0
"""Seconds for which what comes is still compared with what was missed: the server may send some of it as well."""


class Sink(Protocol):
    """Where messages and gaps go: the channel's intake."""

    history: Engine

    def record(self, reason: str, start: float, end: float, backfilled: int | None) -> None:
        """Take in a gap."""

    def admit(self, payloads: list[bytes], kinds: bytes | None) -> None:
        """Take in messages that came over the channel."""

    def admit_missed(self, payloads: list[bytes]) -> None:
        """Take in messages that were missed."""

    def drop(self, count: int) -> None:
        """Count messages that came before."""

    def unseen(self, payloads: list[bytes]) -> list[bytes]:
        """Give those that did not come before, as far as the channel can tell."""


@dataclass(slots=True, eq=False)
class _Gap:
    """A gap that is to be filled."""

    reason: str
    start: float
    end: float
    after: int | None = None
    """The number of the last message before it, once it is in the history."""


_Messages = tuple[list[bytes], bytes | None]


def _size(payloads: list[bytes]) -> int:
    return sum(map(len, payloads)) + OF_EACH * len(payloads)


class Backfill:
    """Stands between one channel and its history, while it has gaps to fill."""

    def __init__(
        self,
        name: str,
        plan: ChannelPlan,
        params: Mapping[str, str],
        services: Services,
        sink: Sink,
        problems: Problems,
    ) -> None:
        self._plan = plan
        self._name = name
        self._params = params
        self._services = services
        self._sink = sink
        self._problems = problems
        self._gaps: deque[_Gap] = deque()
        self._held: deque[_Gap | _Messages] = deque()
        """Gaps that are not in the history yet, and what came behind each."""
        self._held_bytes = 0
        self._patience = OneShot(services.schedule)
        self._task: asyncio.Task[None] | None = None
        self._enquiry: Enquiry | None = None
        """About the first of the gaps."""
        self._seen: Dedupe | None = None
        self._seen_until: float | None = None
        """On ``Clock.monotonic``; None while a gap is being filled."""

    @property
    def takes(self) -> bool:
        """Whether what comes is to pass through ``received``: it is held, or compared with what was missed."""
        if self._gaps or self._held:
            return True
        if self._seen_until is not None and self._services.clock.monotonic() >= self._seen_until:
            self._seen = self._seen_until = None
        return self._seen is not None

    def missed(self, reason: str, start: float, end: float) -> None:
        """Fill a gap, which reaches the history through here."""
        if len(self._gaps) >= MOST_GAPS:
            self._let_go()
            self._sink.record(reason, start, end, None)
            waiting = f"{MOST_GAPS} gaps wait to be filled already"
            after = self._sink.history.last
            self._problems.state("backfill", f"{waiting}; what was missed after {after} is not asked for")
            return
        gap = _Gap(reason, start, end)
        self._gaps.append(gap)
        self._held.append(gap)
        if not self._patience.pending:
            self._patience.start(self._declared.hold, self._let_go)
        if self._task is None:
            self._compare()
            self._task = self._services.tasks.spawn(
                self._fill_all(), name=f"backfill {self._name}", on_crash=self._crashed
            )

    def received(self, payloads: list[bytes], kinds: bytes | None) -> None:
        """Hold what came, or let it in."""
        if not self._held:
            self._admit(payloads, kinds)
            return
        self._held.append((payloads, kinds))
        self._held_bytes += _size(payloads)
        if self._held_bytes > MOST_HELD:
            self._let_go()

    def update(self, plan: ChannelPlan, params: Mapping[str, str]) -> None:
        """Take another plan, with a backfill: for the gaps that nobody was asked about yet."""
        self._plan, self._params = plan, params

    def close(self) -> None:
        """Ask for nothing more, and let in what was found by then, and what is held."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self._enquiry is not None and self._enquiry.found:  # what is held is compared with it
            self._let_in(self._gaps.popleft(), self._enquiry.found, whole=False)
        self._enquiry = None
        self._gaps.clear()
        self._let_go()
        self._seen = self._seen_until = None

    # what is held

    @property
    def _declared(self) -> BackfillModel:
        if self._plan.backfill is None:
            raise RuntimeError(f"channel {self._name!r} declares no backfill")
        return self._plan.backfill

    def _compare(self) -> Dedupe:
        """Compare what comes by the declared id, with all that was compared by that before."""
        if self._seen is None or self._seen.path != self._declared.id:
            self._seen = Dedupe(self._declared.id, window=REMEMBERED, null_passes=True)
        self._seen_until = None
        return self._seen

    def _admit(self, payloads: list[bytes], kinds: bytes | None) -> None:
        if self._seen is not None:
            payloads, kinds, dropped = self._seen.fresh(payloads, kinds)
            self._sink.drop(dropped)
        if payloads:
            self._sink.admit(payloads, kinds)

    def _not_held(self, payloads: list[bytes]) -> list[bytes]:
        held = Dedupe(self._declared.id, window=REMEMBERED, null_passes=True)
        for item in self._held:
            if not isinstance(item, _Gap):
                held.fresh(*item)
        return held.fresh(payloads, None)[0]

    def _let_go(self) -> None:
        """Let in all that is held; gaps among it are filled later."""
        while self._held:
            item = self._held.popleft()
            if isinstance(item, _Gap):
                item.after = self._sink.history.last
                self._sink.record(item.reason, item.start, item.end, None)
            else:
                self._admit(*item)
        self._nothing_held()

    def _let_in(self, gap: _Gap, found: list[bytes], *, whole: bool) -> int:
        """Let in what a gap was filled with, and what is held behind it, up to the next gap; say how much was new."""
        found = self._sink.unseen(found)
        count = len(found)
        if gap.after is None:
            self._held.popleft()
            self._sink.record(gap.reason, gap.start, gap.end, count if whole else None)
        if found:
            self._sink.admit_missed(found)
        while self._held and not isinstance(messages := self._held[0], _Gap):
            self._held.popleft()
            self._held_bytes -= _size(messages[0])
            self._admit(*messages)
        if not self._held:
            self._nothing_held()
        return count

    def _nothing_held(self) -> None:
        self._held_bytes = 0
        self._patience.cancel()

    # what was missed

    async def _fill_all(self) -> None:
        while self._gaps:
            gap = self._gaps[0]
            after = self._sink.history.last if gap.after is None else gap.after
            self._enquiry = Enquiry(
                self._name, self._plan, self._declared, self._params, self._services, self._problems, self._not_held
            )
            whole = await self._enquiry.find(self._sink.history, after, gap.start, gap.end, self._compare())
            found, self._enquiry = self._enquiry.found, None
            count = self._let_in(gap, found, whole=whole)
            self._gaps.popleft()
            if count:
                messages = "1 message" if count == 1 else f"{count} messages"
                logger.info("%s: backfill: %s after %d", self._name, messages, after, extra={"event": "backfill"})
        self._task = None
        self._seen_until = self._services.clock.monotonic() + AFTERWARDS

    def _crashed(self, error: BaseException) -> None:
        self._problems.state("backfill", f"an error of wscli itself: {type(error).__name__}; `wscli logs` has more")
        self.close()
