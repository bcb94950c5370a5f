"""The events that hooks run for: changes of a channel's state, and its messages."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable

from wscli.config.models.hooks import HookPlan
from wscli.daemon.channel.channel import Channel
from wscli.daemon.hooks.filter import FilterFailed, NotJson, compile_filter
from wscli.daemon.hooks.report import HookReport
from wscli.history.encode import Form, encode_batch
from wscli.history.records import TEXT, Batch, Cursor, GapRecord

__all__ = ["MOST_CHANGES", "TURN", "EventSource", "MessageEvents", "StateEvents"]

MOST_CHANGES = 64
"""Queued changes of state; beyond them the oldest is dropped."""
TURN = 0.005
"""Seconds of filtering after which other tasks get a turn."""


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

    def __init__(self, channel: Channel, report: HookReport) -> None:
        self._history = channel.history
        self._form = Form("json", channel.name)
        self._report = report
        self._fits_payload: Callable[[bytes], bool] | None = None
        self._cursor = channel.history.seek_last(0).cursor
        self._missed = 0
        self._wake = asyncio.Event()
        self._unsubscribe = channel.history.subscribe(self._wake.set)

    def update(self, plan: HookPlan) -> None:
        """Filter by the plan's jq expression; raises ValueError where it does not compile."""
        self._fits_payload = None if plan.jq is None else compile_filter(plan.jq)

    def state_changed(self) -> None:
        """Ignore the state."""

    async def next(self) -> bytes:
        """Wait for the next message that fits."""
        began = time.monotonic()
        while True:
            found = self._history.read(self._cursor)
            if found is None:
                self._missed = 0
                self._report.mended("lag")
                self._wake.clear()
                await self._wake.wait()
                began = time.monotonic()
            elif isinstance(found.item, GapRecord):
                self._cursor = found.cursor
                self._fell_behind(found.item)
            else:
                seq = self._first_that_fits(found.item, until=began + TURN)
                if seq is not None:
                    return encode_batch(found.item.part(seq, seq), self._form).parts[0][1]
                await asyncio.sleep(0)
                began = time.monotonic()

    def close(self) -> None:
        """Stop following the history."""
        self._unsubscribe()

    def _first_that_fits(self, batch: Batch, *, until: float) -> int | None:
        """Move the cursor to the first message that fits, or to where the time ends."""
        for seq in range(batch.first, batch.last + 1):
            self._cursor = Cursor(seq, self._cursor.gaps, batch.epoch)
            if self._fits(batch, seq - batch.first):
                return seq
            if time.monotonic() > until:
                break
        return None

    def _fits(self, batch: Batch, index: int) -> bool:
        if self._fits_payload is None:
            return True
        if batch.kinds is not None and batch.kinds[index] != TEXT:
            self._report.counts.not_json += 1
            return False
        try:
            fits = self._fits_payload(batch.payloads[index])
        except NotJson:
            self._report.counts.not_json += 1
            return False
        except FilterFailed as error:
            self._report.counts.failures += 1
            self._report.state("jq", f"jq: {error}")
            return False
        self._report.mended("jq")
        return fits

    def _fell_behind(self, gap: GapRecord) -> None:
        if gap.reason == "lagged" and gap.missed:
            self._report.counts.lagged += gap.missed
            self._missed += gap.missed
            self._report.state("lag", f"missed {_count(self._missed, 'message')}: the hook is too slow")


EventSource = StateEvents | MessageEvents
"""The events of one hook."""


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
