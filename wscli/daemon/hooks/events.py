"""The events that hooks run for: changes of a channel's state, and its messages."""

from __future__ import annotations

import asyncio
import json
from collections import deque

from wscli.config.models.hooks import HookPlan
from wscli.daemon.channel.channel import Channel
from wscli.daemon.hooks.filter import FilterFailed, FilterProcesses, MessageFilter, MessageFit
from wscli.daemon.hooks.report import HookReport
from wscli.history.encode import Form, encode_batch
from wscli.history.records import TEXT, Batch, Cursor, GapRecord

__all__ = ["MOST_CHANGES", "EventSource", "MessageEvents", "StateEvents"]

MOST_CHANGES = 64
"""Queued changes of state; beyond them the oldest is dropped."""


class StateEvents:
    """The changes of a channel's state, as objects of ``status --json``."""

    def __init__(self, channel: Channel, report: HookReport) -> None:
        self._channel = channel
        self._report = report
        self._waiting: deque[bytes] = deque()
        self._dropped = 0
        self._wake = asyncio.Event()

    def state_changed(self) -> None:
        """Queue the channel's present state, and drop the oldest of too many."""
        self._waiting.append(json.dumps(self._channel.status(), separators=(",", ":")).encode() + b"\n")
        self._wake.set()
        if len(self._waiting) > MOST_CHANGES:
            self._waiting.popleft()
            self._report.counts.lagged += 1
            self._dropped += 1
            self._report.state("lag", f"{_count(self._dropped, 'change')} dropped: the hook is too slow")

    def update(self, plan: HookPlan) -> None:
        """Ignore the plan."""

    async def next(self) -> bytes:
        """Wait for the next change."""
        while not self._waiting:
            self._dropped = 0
            self._report.mended("lag")
            self._wake.clear()
            await self._wake.wait()
        return self._waiting.popleft()

    def close(self) -> None:
        """Drop what is queued."""
        self._waiting.clear()


class MessageEvents:
    """The messages of a channel from now on, read from its history as records of ``tail --json``."""

    def __init__(self, channel: Channel, report: HookReport, processes: FilterProcesses) -> None:
        self._history = channel.history
        self._form = Form("json", channel.name)
        self._report = report
        self._processes = processes
        self._filter: MessageFilter | None = None
        self._cursor = self._read_up_to = channel.history.seek_last(0).cursor
        """The position after the last event, and the position up to which the filter has run."""
        self._fitting: deque[tuple[Batch, int]] = deque()
        """The fitting messages between the two, each as its batch and sequence number."""
        self._missed = 0
        self._wake = asyncio.Event()
        self._unsubscribe = channel.history.subscribe(self._wake.set)

    def update(self, plan: HookPlan) -> None:
        """Filter by the plan's jq expression; raises ValueError where it does not compile."""
        self._fitting.clear()
        self._read_up_to = self._cursor
        self._filter = None if plan.jq is None else MessageFilter(plan.jq, self._processes)

    def state_changed(self) -> None:
        """Ignore the state."""

    async def next(self) -> bytes:
        """Wait for the next message that fits."""
        while not self._fitting:
            self._cursor = self._read_up_to
            found = self._history.read(self._cursor)
            if found is None:
                self._missed = 0
                self._report.mended("lag")
                self._wake.clear()
                await self._wake.wait()
            elif isinstance(found.item, GapRecord):
                self._read_up_to = found.cursor
                self._fell_behind(found.item)
            else:
                await self._look_at(found.item)
        batch, seq = self._fitting.popleft()
        self._cursor = self._cursor_at(batch, seq)
        return encode_batch(batch.part(seq, seq), self._form).parts[0][1]

    def close(self) -> None:
        """Stop following the history."""
        self._unsubscribe()

    async def _look_at(self, batch: Batch) -> None:
        """Find out which of the next messages fit."""
        if self._filter is None:
            self._fitting.append((batch, batch.first))
            self._read_up_to = self._cursor_at(batch, batch.first)
            return
        fits: list[MessageFit] = ["not JSON"]
        texts = _texts(batch)
        if texts:
            fits = await self._filter.fits(batch.payloads[:texts])
            await asyncio.sleep(0)
        seqs = [batch.first + index for index, fit in enumerate(fits) if self._fits(fit)]
        self._fitting.extend((batch, seq) for seq in seqs)
        self._read_up_to = self._cursor_at(batch, batch.first + len(fits) - 1)

    def _cursor_at(self, batch: Batch, seq: int) -> Cursor:
        return Cursor(seq, self._cursor.gaps, batch.epoch)

    def _fits(self, fit: MessageFit) -> bool:
        """Count and report the filter's result for a message; True: it fits."""
        if fit == "not JSON":
            self._report.counts.not_json += 1
        elif isinstance(fit, FilterFailed):
            self._report.counts.failures += 1
            self._report.state("jq", f"jq: {fit}")
        else:
            self._report.mended("jq")
        return fit is True

    def _fell_behind(self, gap: GapRecord) -> None:
        if gap.reason == "lagged" and gap.missed:
            self._report.counts.lagged += gap.missed
            self._missed += gap.missed
            self._report.state("lag", f"missed {_count(self._missed, 'message')}: the hook is too slow")


EventSource = StateEvents | MessageEvents
"""The events of one hook."""


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _texts(batch: Batch) -> int:
    """Give the number of messages before the first binary one."""
    if batch.kinds is None:
        return len(batch)
    return next((index for index, kind in enumerate(batch.kinds) if kind != TEXT), len(batch))
