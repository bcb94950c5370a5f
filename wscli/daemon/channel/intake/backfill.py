"""Fill a channel's gaps: request the missed messages, and append them before the live ones that followed.

Live messages are held while a request is pending, for the declared ``hold`` or ``MAX_HELD`` bytes at most; then they
are appended, and the missed ones follow them.
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
from wscli.daemon.channel.intake.dedupe import Dedupe
from wscli.daemon.channel.intake.messages import Messages
from wscli.daemon.channel.intake.requests import BackfillRequests
from wscli.daemon.upstream.services import Services
from wscli.history.memory import History
from wscli.history.seen import SeenDigests
from wscli.problems import Problems
from wscli.timing import OneShot

__all__ = ["Backfill", "BackfillSink"]

logger = logging.getLogger("wscli.channel")

MAX_HELD = 16 << 20
"""Bytes of held messages, ``OVERHEAD`` of each included."""
OVERHEAD = 64
"""Bytes that a held message takes beside its payload."""
MAX_GAPS = 100
"""Gaps waiting to be filled, at most."""
REMEMBERED = 100_000
"""Ids remembered for comparison."""
AFTERWARDS = 30.0
"""Seconds after a fill during which live messages are still compared with the filled ones; a server may send both."""


class BackfillSink(Protocol):
    """Where messages and gaps go: the channel's intake."""

    history: History

    def record(self, reason: str, start: float, end: float, backfilled: int | None) -> None:
        """Record a gap; times are seconds since the epoch."""

    def admit(self, messages: Messages) -> None:
        """Append messages received from the server."""

    def admit_missed(self, payloads: list[bytes]) -> None:
        """Append messages found by a request."""

    def drop(self, count: int) -> None:
        """Count duplicates."""

    def unseen(self, payloads: list[bytes]) -> list[bytes]:
        """Give those of the messages that the channel has not seen."""


@dataclass(slots=True, eq=False)
class _Gap:
    """A gap waiting to be filled."""

    reason: str
    start: float
    end: float
    after: int | None = None
    """The number of the last message before it, once the gap is recorded."""


def _size(payloads: list[bytes]) -> int:
    return sum(map(len, payloads)) + OVERHEAD * len(payloads)


class Backfill:
    """Stands between one channel and its history while there are gaps to fill."""

    def __init__(
        self,
        name: str,
        plan: ChannelPlan,
        params: Mapping[str, str],
        services: Services,
        sink: BackfillSink,
        problems: Problems,
    ) -> None:
        self._plan = plan
        self._name = name
        self._params = params
        self._services = services
        self._sink = sink
        self._problems = problems
        self._gaps: deque[_Gap] = deque()
        self._held: deque[_Gap | Messages] = deque()
        """Gaps not recorded yet, and the messages received after each."""
        self._held_bytes = 0
        self._patience = OneShot(services.schedule)
        self._task: asyncio.Task[None] | None = None
        self._requests: BackfillRequests | None = None
        """The requests for the first of the gaps."""
        self._seen: Dedupe | None = None
        self._seen_until: float | None = None
        """On ``Clock.monotonic``; None while a gap is being filled."""

    @property
    def takes(self) -> bool:
        """Whether live messages must pass through ``received``, to be held or compared."""
        if self._gaps or self._held:
            return True
        if self._seen_until is not None and self._services.clock.monotonic() >= self._seen_until:
            self._seen = self._seen_until = None
        return self._seen is not None

    def missed(self, reason: str, start: float, end: float) -> None:
        """Fill a gap, and record it in its place."""
        if len(self._gaps) >= MAX_GAPS:
            self._let_go()
            self._sink.record(reason, start, end, None)
            waiting = f"{MAX_GAPS} gaps already wait to be filled"
            after = self._sink.history.last
            self._problems.state("backfill", f"{waiting}; messages missed after {after} are not requested")
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

    def received(self, messages: Messages) -> None:
        """Hold messages, or append them."""
        if not self._held:
            self._admit(messages)
            return
        self._held.append(messages)
        self._held_bytes += _size(messages.payloads)
        if self._held_bytes > MAX_HELD:
            self._let_go()

    def update(self, plan: ChannelPlan, params: Mapping[str, str]) -> None:
        """Apply a changed plan, to gaps without a request under way."""
        self._plan, self._params = plan, params

    def close(self) -> None:
        """Stop requesting, and append what was found and what is held."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self._requests is not None and self._requests.found:  # held messages are compared with them
            self._let_in(self._gaps.popleft(), self._requests.found, whole=False)
        self._requests = None
        self._gaps.clear()
        self._let_go()
        self._seen = self._seen_until = None

    # held messages

    @property
    def _declared(self) -> BackfillModel:
        if self._plan.backfill is None:
            raise RuntimeError(f"channel {self._name!r} declares no backfill")
        return self._plan.backfill

    def _compare(self) -> Dedupe:
        """Give the ids seen so far under the declared ``id``."""
        if self._seen is None or self._seen.path != self._declared.id:
            self._seen = Dedupe(self._declared.id, SeenDigests(REMEMBERED), null_passes=True)
        self._seen_until = None
        return self._seen

    def _admit(self, messages: Messages) -> None:
        if self._seen is not None:
            new = self._seen.new(messages._replace(keys=None))  # its ``id`` is a path of its own
            self._sink.drop(len(messages.payloads) - len(new))
            messages = messages.only(new)
        self._sink.admit(messages)

    def _not_held(self, payloads: list[bytes]) -> list[bytes]:
        held = Dedupe(self._declared.id, SeenDigests(REMEMBERED), null_passes=True)
        for item in self._held:
            if not isinstance(item, _Gap):
                held.new(item._replace(keys=None))
        return held.fresh(payloads, None)

    def _let_go(self) -> None:
        """Append everything held; the gaps among it are filled later."""
        while self._held:
            item = self._held.popleft()
            if isinstance(item, _Gap):
                item.after = self._sink.history.last
                self._sink.record(item.reason, item.start, item.end, None)
            else:
                self._admit(item)
        self._nothing_held()

    def _let_in(self, gap: _Gap, found: list[bytes], *, whole: bool) -> int:
        """Append the messages found for a gap and those held behind it, up to the next gap; count the new ones."""
        found = self._sink.unseen(found)
        count = len(found)
        if gap.after is None:
            self._held.popleft()
            self._sink.record(gap.reason, gap.start, gap.end, count if whole else None)
        if found:
            self._sink.admit_missed(found)
        while self._held and not isinstance(messages := self._held[0], _Gap):
            self._held.popleft()
            self._held_bytes -= _size(messages.payloads)
            self._admit(messages)
        if not self._held:
            self._nothing_held()
        return count

    def _nothing_held(self) -> None:
        self._held_bytes = 0
        self._patience.cancel()

    # missed messages

    async def _fill_all(self) -> None:
        while self._gaps:
            gap = self._gaps[0]
            after = self._sink.history.last if gap.after is None else gap.after
            self._requests = BackfillRequests(
                self._name, self._plan, self._declared, self._params, self._services, self._problems, self._not_held
            )
            whole = await self._requests.find(self._sink.history, after, gap.start, gap.end, self._compare())
            found, self._requests = self._requests.found, None
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
