"""The promise of the history: each reader gets every message once and in order, or is told exactly what it missed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from tests.history.ticking import Ticking
from wscli.history.limits import HistoryLimits
from wscli.history.memory import History
from wscli.history.records import Cursor, GapRecord, Position


@dataclass
class Follower:
    """A reader, and what the naive model says that it must get."""

    cursor: Cursor
    seq: int  # the last message that is behind it
    gaps: int  # how many of all recorded gaps are behind it


class Histories(RuleBasedStateMachine):
    """Appends, gaps, new limits, and readers of every pace."""

    readers = Bundle("readers")

    @initialize(keep=st.integers(1, 12), max_size=st.integers(1024, 2048))
    def begin(self, keep: int, max_size: int) -> None:
        self.clock = Ticking()
        self.limits = HistoryLimits(keep=keep, max_size=max_size)
        self.history = History(self.limits, clock=self.clock, epoch="k3f9")
        self.messages: list[tuple[bytes, float]] = []  # all there ever were
        self.gaps: list[GapRecord] = []
        self.starts: list[int] = []  # of batches
        self.largest = 0

    @rule(sizes=st.lists(st.integers(0, 700), min_size=1, max_size=6), step=st.floats(-5, 20))
    def append(self, sizes: list[int], step: float) -> None:
        self.clock.now += step
        payloads = [b"%d." % (len(self.messages) + number + 1) + b"x" * size for number, size in enumerate(sizes)]
        self.largest = max(self.largest, sum(map(len, payloads)))
        before = self.history.first
        self.starts.append(len(self.messages) + 1)
        self.messages += [(payload, self.clock.now) for payload in payloads]
        self.history.append(payloads, None)
        self.check_dropped(before)

    @rule(reason=st.sampled_from(["outage", "paused"]))
    def gap(self, reason: str) -> None:
        gap = GapRecord(len(self.messages), reason, self.clock.now, self.clock.now + len(self.gaps) / 1e3)
        self.gaps.append(gap)
        self.history.record_gap(reason, start=gap.start, end=gap.end)

    @rule(keep=st.integers(1, 12), max_size=st.integers(1024, 2048))
    def limit(self, keep: int, max_size: int) -> None:
        self.limits = HistoryLimits(keep=keep, max_size=max_size)
        before = self.history.first
        self.history.limit(self.limits)
        self.check_dropped(before)

    @rule(target=readers, count=st.integers(0, 20))
    def read_last(self, count: int) -> Follower:
        start = self.history.seek_last(count)
        wanted = max(0, len(self.messages) - count)
        begins = max(wanted, self.history.first - 1)
        missed = begins - wanted
        assert start.gap == (GapRecord(wanted, "truncated", missed=missed) if missed else None)
        after = begins - 1 if missed else begins  # gaps that come after the asked range's beginning are in it
        hidden = len(self.gaps) if count == 0 else sum(gap.after <= after for gap in self.gaps)
        return Follower(start.cursor, begins, hidden)

    @rule(target=readers, back=st.integers(0, 20))
    def read_after(self, back: int) -> Follower:
        seq = max(0, len(self.messages) - back)
        start = self.history.seek_after(Position("k3f9", seq))
        begins = max(seq, self.history.first - 1)
        missed = begins - seq
        assert start.gap == (GapRecord(seq, "truncated", missed=missed) if missed else None)
        return Follower(start.cursor, begins, sum(gap.after < begins for gap in self.gaps))

    @rule(target=readers, ago=st.floats(0, 100))
    def read_since(self, ago: float) -> Follower:
        since = self.clock.now - ago
        start = asyncio.run(self.history.seek_since(since))
        wanted = next((n for n, (_, ts) in enumerate(self.messages) if ts >= since), len(self.messages))
        begins = max(wanted, self.history.first - 1)
        assert (start.gap is not None) == (wanted < begins)
        hidden = sum(gap.after < begins for gap in self.gaps)
        if wanted == begins:  # of the gaps right before, only those that ended in time
            while hidden < len(self.gaps) and self.gaps[hidden].after == begins and self.gaps[hidden].end < since:
                hidden += 1
        return Follower(start.cursor, begins, hidden)

    @rule(reader=readers, steps=st.integers(1, 30))
    def follow(self, reader: Follower, steps: int) -> None:
        for _ in range(steps):
            found = self.history.read(reader.cursor)
            if found is None:
                assert reader.seq == len(self.messages)
                assert reader.gaps == len(self.gaps)
                return
            reader.cursor = found.cursor
            self.check(reader, found.item)

    def check(self, reader: Follower, item: Any) -> None:
        if isinstance(item, GapRecord) and item.reason == "lagged":
            assert item.after == reader.seq
            assert item.missed == self.history.first - 1 - reader.seq > 0
            reader.seq = self.history.first - 1
            reader.gaps = max(reader.gaps, sum(gap.after < reader.seq for gap in self.gaps))
        elif isinstance(item, GapRecord):
            assert item == self.gaps[reader.gaps]
            assert item.after == reader.seq
            reader.gaps += 1
        else:
            assert reader.gaps == sum(gap.after <= reader.seq for gap in self.gaps)
            assert item.first == reader.seq + 1
            assert [(one, item.ts) for one in item.payloads] == self.messages[item.first - 1 : item.last]
            reader.seq = item.last

    @invariant()
    def the_window_holds_what_it_must_and_little_more(self) -> None:
        if not hasattr(self, "messages"):
            return
        history, received = self.history, len(self.messages)
        kept = self.messages[history.first - 1 :]
        size = sum(len(payload) for payload, _ in kept)
        assert history.last == received
        assert history.size == size
        assert size <= max(self.limits.max_size, self.largest)
        assert len(kept) < self.limits.keep + 6

    def check_dropped(self, before: int) -> None:
        """What was dropped just now had to go: without its newest batch there was enough, or with it too much."""
        first = self.history.first
        if first == before:
            return
        batch = max(start for start in self.starts if start < first)
        kept = sum(len(payload) for payload, _ in self.messages[batch - 1 :])
        assert kept > self.limits.max_size or len(self.messages) - first + 1 >= self.limits.keep


TestHistories = Histories.TestCase
TestHistories.settings = settings(stateful_step_count=60, deadline=None)
