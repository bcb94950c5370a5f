"""A channel's messages and gaps, on their way into its history."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from wscli.config.plan import ChannelPlan
from wscli.daemon.channel.backpressure import Backpressure
from wscli.daemon.channel.counters import Counters
from wscli.daemon.channel.histories import Histories
from wscli.daemon.channel.intake.backfill import Backfill
from wscli.daemon.channel.intake.dedupe import Dedupe
from wscli.daemon.channel.intake.messages import Messages
from wscli.daemon.upstream.services import Services
from wscli.problems import Problems

__all__ = ["Intake"]


class Intake:
    """Owns the history of one channel, and states its faults among the channel's ``problems``.

    Raises:
        WscliError: the history's file cannot be used, or is damaged.
    """

    def __init__(
        self,
        name: str,
        plan: ChannelPlan,
        params: Mapping[str, str],
        services: Services,
        histories: Histories,
        counters: Counters,
        problems: Problems,
        backpressure: Backpressure,
    ) -> None:
        self.history = histories.open(name, plan.history, on_fault=self._history_failed, on_full=self._history_full)
        self._name = name
        self._services = services
        self._counters = counters
        self._problems = problems
        self._dedupe: Dedupe | None = None
        self._dedupe_by(plan)
        self._backfill: Backfill | None = None
        self._backfill_by(plan, params)
        self._backpressure = backpressure
        self._outage: tuple[float, str] | None = None
        """Start and reason of the gap in progress."""
        if self.history.ended_at is not None:
            self._outage = (self.history.ended_at, "outage" if plan.eager else "paused")

    def update(self, plan: ChannelPlan, params: Mapping[str, str]) -> None:
        """Apply a changed plan; ``params`` are the channel name's parameters under it."""
        self._dedupe_by(plan)
        self._backfill_by(plan, params)
        self.history.limit(plan.history)

    def lost(self, now: float, *, deliberate: bool) -> None:
        """Begin a gap at wall-clock time ``now``, unless one is in progress."""
        if self._outage is None:
            self._outage = (now, "paused" if deliberate else "outage")

    def handed_over(self) -> None:
        """Forget the gap in progress: a successor took over from the connection that ended."""
        self._outage = None

    def listening(self, now: float) -> None:
        """End the gap in progress, if any, at wall-clock time ``now``, and record it."""
        if self._outage is not None:
            start, reason = self._outage
            self._outage = None
            if self._backfill is None:
                self.record(reason, start, now, None)
            else:
                self._backfill.missed(reason, start, now)

    def received(self, payloads: list[bytes], kinds: bytes | None) -> None:
        """Append messages to the history, without duplicates where ``dedupe`` or a backfill can tell."""
        if self._dedupe is None and self._backfill is None:
            self._counters.count_received(len(payloads), self.history.append(payloads, kinds))
        else:
            self.take(Messages(payloads, kinds))

    def take(self, messages: Messages) -> None:
        """Append messages, and what their session says of them; or hold them while a gap is being filled."""
        if self._backfill is not None and self._backfill.takes:
            self._backfill.received(messages)
        else:
            self.admit(messages)

    def close(self) -> None:
        """Stop filling gaps, and append what was held back for them."""
        if self._backfill is not None:
            self._backfill.close()

    # for the backfill

    def record(self, reason: str, start: float, end: float, backfilled: int | None) -> None:
        """Record a gap; times are seconds since the epoch."""
        self.history.record_gap(reason, start=start, end=end, backfilled=backfilled)
        self._counters.count_gap(reason)

    def admit(self, messages: Messages) -> None:
        """Append messages received; deduplicated only now, after the messages they waited for."""
        if self._dedupe is not None and messages.payloads:
            new = self._dedupe.new(messages)
            self._counters.duplicates += len(messages.payloads) - len(new)
            messages = messages.only(new)
        payloads, kinds, _, kept, acks, logged, gap = messages
        first = self.history.last + 1
        self._counters.count_received(len(payloads), self.history.append(payloads, kinds))
        if kept is not None:
            self.history.keep(kept)
        if logged is not None:
            for index, number in acks:
                self.history.when_committed(first + index, functools.partial(logged, number))
        if gap is not None:
            reason, missed, at = gap
            self.history.record_gap(reason, start=at, end=at, missed=missed)
            self._counters.count_gap(reason)

    def admit_missed(self, payloads: list[bytes]) -> None:
        """Append messages that a backfill found."""
        self._counters.backfilled += len(payloads)
        self.history.append(payloads, None, backfill=True)

    def drop(self, count: int) -> None:
        """Count duplicates."""
        self._counters.duplicates += count

    def unseen(self, payloads: list[bytes]) -> list[bytes]:
        """Give those of the messages that ``dedupe`` has not seen."""
        return payloads if self._dedupe is None else self._dedupe.fresh(payloads, None)

    # the plan

    def _dedupe_by(self, plan: ChannelPlan) -> None:
        if plan.dedupe is None:
            self._dedupe = None
        elif self._dedupe is None or self._dedupe.path != plan.dedupe:
            self._dedupe = Dedupe(plan.dedupe, self.history.seen)

    def _backfill_by(self, plan: ChannelPlan, params: Mapping[str, str]) -> None:
        if self._backfill is None:
            if plan.backfill is not None:
                self._backfill = Backfill(self._name, plan, params, self._services, self, self._problems)
        elif plan.backfill is not None:
            self._backfill.update(plan, params)
        else:
            self._backfill.close()
            self._backfill = None
            self._problems.mended("backfill")

    # reports of the history

    def overflow(self) -> None:
        """Stop persisting messages until the history's write queue has drained, and say so."""
        self.history.overflow()
        self._counters.count_gap("disk")
        self._problems.state("history behind", "it is written more slowly than messages arrive; some are not kept")

    def _history_full(self, full: bool) -> None:
        self._backpressure.report_history(full)
        if not full:
            self._problems.mended("history behind")

    def _history_failed(self, text: str | None) -> None:
        self._problems.report("history", text)
