"""What hooks are run for: the changes of a channel's state, and its messages."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from typing import Protocol

from wscli.config.models.hooks import HookPlan
from wscli.daemon.channel.channel import Channel
from wscli.daemon.hooks.counts import Counts
from wscli.daemon.hooks.faults import Faults
from wscli.daemon.hooks.filter import Filter, FilterFailed, NotJson
from wscli.history.encode import Form, encode_batch
from wscli.history.records import TEXT, Batch, Cursor, GapRecord

__all__ = ["MOST_CHANGES", "TURN", "Inbox", "Messages", "States"]

MOST_CHANGES = 64
"""Changes of state that wait for their run; beyond them the oldest is dropped."""
TURN = 0.005
"""Seconds that a filter may take before everybody else has a turn."""


class Inbox(Protocol):
    """What waits to be handed to a hook's command."""

    def update(self, plan: HookPlan) -> None:
        """The hook is another now."""

    async def next(self) -> bytes:
        """Wait for an event, and take it: one line of JSON."""

    def close(self) -> None:
        """Take nothing more."""


class States:
    """The changes of a channel's state, as objects of ``status --json``."""

    def __init__(self, channel: Channel, counts: Counts, faults: Faults) -> None:
        self._channel = channel
        self._counts = counts
        self._faults = faults
        self._waiting: deque[bytes] = deque()
        self._dropped = 0
        self._wake = asyncio.Event()

    def put(self) -> None:
        """Take in how the channel stands now; where too many wait, the oldest goes."""
        self._waiting.append(json.dumps(self._channel.status(), separators=(",", ":")).encode() + b"\n")
        self._wake.set()
        if len(self._waiting) > MOST_CHANGES:
            self._waiting.popleft()
            self._counts.lagged += 1
            self._dropped += 1
            self._faults.state("lag", f"{_changes(self._dropped)} dropped: it is slower than they come")

    def update(self, plan: HookPlan) -> None:
        """Nothing of a plan matters here."""

    async def next(self) -> bytes:
        """Wait for a change, and take it."""
        while not self._waiting:
            self._dropped = 0
            self._faults.mended("lag")
            self._wake.clear()
            await self._wake.wait()
        return self._waiting.popleft()

    def close(self) -> None:
        """Forget what waits."""
        self._waiting.clear()


class Messages:
    """A cursor on a channel's history, from the messages to come on; gives records of ``tail --json``."""

    def __init__(self, channel: Channel, counts: Counts, faults: Faults) -> None:
        self._history = channel.history
        self._form = Form("json", channel.name)
        self._counts = counts
        self._faults = faults
        self._filter: Filter | None = None
        self._cursor = channel.history.seek_last(0).cursor
        self._missed = 0
        self._wake = asyncio.Event()
        self._unsubscribe = channel.history.subscribe(self._wake.set)

    def update(self, plan: HookPlan) -> None:
        """Filter by another expression.

        Raises:
            ValueError: it does not compile.

        """
        self._filter = None if plan.jq is None else Filter(plan.jq)

    async def next(self) -> bytes:
        """Wait for a message that fits, and take it."""
        began = time.monotonic()
        while True:
            found = self._history.read(self._cursor)
            if found is None:
                self._missed = 0
                self._faults.mended("lag")
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
        """Leave the history."""
        self._unsubscribe()

    def _first_that_fits(self, batch: Batch, *, until: float) -> int | None:
        """Move the cursor up to the first message that fits, or as far as the time allows."""
        for seq in range(batch.first, batch.last + 1):
            self._cursor = Cursor(seq, self._cursor.gaps, batch.epoch)
            if self._fits(batch, seq - batch.first):
                return seq
            if time.monotonic() > until:
                break
        return None

    def _fits(self, batch: Batch, index: int) -> bool:
        if self._filter is None:
            return True
        if batch.kinds is not None and batch.kinds[index] != TEXT:
            self._counts.not_json += 1
            return False
        try:
            fits = self._filter.fits(batch.payloads[index])
        except NotJson:
            self._counts.not_json += 1
            return False
        except FilterFailed as error:
            self._counts.failures += 1
            self._faults.state("jq", f"jq: {error}")
            return False
        self._faults.mended("jq")
        return fits

    def _fell_behind(self, gap: GapRecord) -> None:
        if gap.reason == "lagged" and gap.missed:
            self._counts.lagged += gap.missed
            self._missed += gap.missed
            what = "1 message" if self._missed == 1 else f"{self._missed} messages"
            self._faults.state("lag", f"missed {what}: it is slower than they come")


def _changes(count: int) -> str:
    return "1 change" if count == 1 else f"{count} changes"
