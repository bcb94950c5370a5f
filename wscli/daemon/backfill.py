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
from wscli.daemon.dedupe import Dedupe
from wscli.daemon.enquiry import Enquiry
from wscli.daemon.problems import Problems
from wscli.daemon.services import Services
from wscli.daemon.timing import Timer
from wscli.history.engine import Engine

__all__ = ["Backfill", "Sink"]

logger = logging.getLogger("wscli.channel")

MOST_HELD = 16 << 20
"""Bytes of messages that are held."""
REMEMBERED = 100_000
"""So many ids are compared."""
AFTERWARDS = 30.0
"""Seconds for which what comes is still compared with what was missed: the server may send some of it as well."""


class Sink(Protocol):
    """Where messages and gaps go: the channel's intake."""

    history: Engine

    def record(self, reason: str, start: float, end: float, backfilled: int | None) -> None:
        """Take in a gap."""

    def admit(self, payloads: list[bytes], kinds: bytes | None, *, backfill: bool = False) -> None:
        """Take in messages."""

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
        self.plan = plan
        self._name = name
        self._params = params
        self._services = services
        self._sink = sink
        self._problems = problems
        self._gaps: deque[_Gap] = deque()
        self._held: deque[_Gap | _Messages] = deque()
        """Gaps that are not in the history yet, and what came behind each."""
        self._held_bytes = 0
        self._patience: Timer | None = None
        self._task: asyncio.Task[None] | None = None
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
        gap = _Gap(reason, start, end)
        self._gaps.append(gap)
        self._held.append(gap)
        if self._patience is None:
            self._patience = self._services.schedule(self._declared.hold, self._let_go)
        if self._task is None:
            self._task = self._services.tasks.spawn(
                self._fill_all(), name=f"backfill {self._name}", on_crash=self._crashed
            )

    def received(self, payloads: list[bytes], kinds: bytes | None) -> None:
        """Hold what came, or let it in."""
        if not self._held:
            self._admit(payloads, kinds)
            return
        self._held.append((payloads, kinds))
        self._held_bytes += sum(map(len, payloads))
        if self._held_bytes > MOST_HELD:
            self._let_go()

    def close(self) -> None:
        """Ask for nothing more, and let in what is held."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._gaps.clear()
        self._let_go()

    # what is held

    @property
    def _declared(self) -> BackfillModel:
        if self.plan.backfill is None:
            raise RuntimeError(f"channel {self._name!r} declares no backfill")
        return self.plan.backfill

    def _admit(self, payloads: list[bytes], kinds: bytes | None) -> None:
        if self._seen is not None:
            payloads, kinds, dropped = self._seen.fresh(payloads, kinds)
            self._sink.drop(dropped)
        if payloads:
            self._sink.admit(payloads, kinds)

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

    def _let_in(self, gap: _Gap, found: list[bytes] | None) -> None:
        """Let in what a gap was filled with, and what is held behind it, up to the next gap."""
        if gap.after is None:
            self._held.popleft()
            self._sink.record(gap.reason, gap.start, gap.end, None if found is None else len(found))
        if found:
            self._sink.admit(found, None, backfill=True)
        while self._held and not isinstance(messages := self._held[0], _Gap):
            self._held.popleft()
            self._held_bytes -= sum(map(len, messages[0]))
            self._admit(*messages)
        if not self._held:
            self._nothing_held()

    def _nothing_held(self) -> None:
        self._held_bytes = 0
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    # what was missed

    async def _fill_all(self) -> None:
        while self._gaps:
            gap = self._gaps[0]
            self._seen, self._seen_until = Dedupe(self._declared.id, window=REMEMBERED), None
            after = self._sink.history.last if gap.after is None else gap.after
            enquiry = Enquiry(
                self._name, self.plan, self._declared, self._params, self._services, self._problems, self._sink.unseen
            )
            found = await enquiry.find(self._sink.history, after, gap.start, gap.end, self._seen)
            self._let_in(gap, found)
            self._gaps.popleft()
            if found:
                messages = "1 message" if len(found) == 1 else f"{len(found)} messages"
                logger.info("%s: backfill: %s after %d", self._name, messages, after, extra={"event": "backfill"})
        self._task = None
        self._seen_until = self._services.clock.monotonic() + AFTERWARDS

    def _crashed(self, error: BaseException) -> None:
        self._problems.state("backfill", f"an error of wscli itself: {type(error).__name__}; `wscli logs` has more")
        self.close()
