"""Whatever a server that numbers its messages does, and whatever is done to a channel that asks it for what was missed:
no message that came is lost or there twice, each gap is recorded once and says what follows it, and nothing is left.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from tests.daemon.channel.intake.outages import WRONG_ANSWERS, NumberedLog, numbered
from tests.daemon.machines import LoopMachine, in_loop
from tests.daemon.scripted import REFUSED, Scripted, channel_plan, closed
from tests.examples import EXAMPLES
from wscli.backfill.models import BackfillModel
from wscli.config.plan import ChannelPlan
from wscli.core.states import ChannelState as S
from wscli.daemon.channel.channel import Channel
from wscli.daemon.channel.intake.backfill import _Gap
from wscli.history.limits import HistoryLimits
from wscli.history.records import Batch, GapRecord
from wscli.templates.paths import compile_path_expression
from wscli.tokens.models import TokenSource

TOKENS = {"session": TokenSource.model_validate({"value": "s3cret"})}
BY_HAND = st.sampled_from(["start", "stop", "restart", "pause", "resume"])


def declared(plan: ChannelPlan, *, by: str = ".id", hold: str = "10s") -> ChannelPlan:
    call = {"get": "https://example.com/?after={gap.at}", "headers": {"X-Token": "{token.session}"}}
    backfill = {"http": call, "capture": {"at": ".id"}, "id": by, "hold": hold, "calls": "100"}
    return replace(plan, backfill=BackfillModel.model_validate(backfill))


NO_BACKFILL = SimpleNamespace(takes=False, _gaps=(), _held=(), _task=None)


class EachOnce(LoopMachine):
    @initialize(disk=st.booleans(), dedupes=st.booleans(), hold=st.sampled_from(["0s", "3s", "1m"]))
    def begin(self, disk: bool, dedupes: bool, hold: str) -> None:
        self.log = NumberedLog()
        self.live: set[int] = set()
        self.in_order = True
        """Whether the server says each message once over the channel."""
        self.asks = True
        """Whether every gap was asked about until there was nothing more."""
        self.state = tempfile.TemporaryDirectory() if disk else None
        base = channel_plan("news", history=HistoryLimits(store="disk" if disk else "memory"))
        self.base = replace(base, dedupe=compile_path_expression(".id") if dedupes else None)
        self.plan = declared(self.base, hold=hold)
        self.goes_on = False
        self.do(self.open())
        self.do(self.say_live(1))

    async def open(self) -> None:
        self.it = Scripted(
            self.plan, tokens=TOKENS, state=None if self.state is None else Path(self.state.name), http=self.log
        )
        self.it.manager.open()
        await self.it.time.settle()

    @property
    def channel(self) -> Channel:
        return self.it.manager.channel("news")

    @property
    def backfill(self) -> Any:
        """The channel's, or one that has nothing to do where none is declared."""
        return self.channel.intake._backfill or NO_BACKFILL

    # the server

    async def say_live(self, count: int) -> None:
        numbers = range(self.log.last + 1, self.log.last + count + 1)
        self.log.last += count
        link = self.channel.connection
        if link is not None:
            link.say(*map(numbered, numbers))
            self.live |= set(numbers)

    @rule(count=st.integers(1, 4))
    def say(self, count: int) -> None:
        self.do(self.say_live(count))

    @precondition(lambda self: self.state is None)
    @rule(back=st.integers(0, 4))
    @in_loop
    async def say_again(self, back: int) -> None:
        """As a server may for a while after a reconnection."""
        await self.it.time.settle()  # the messages before the gap are known by then
        link = self.channel.connection
        if link is not None and self.backfill.takes:
            number = max(1, self.log.last - back)
            link.say(numbered(number))
            self.live.add(number)
            self.in_order = False

    @rule(refused=st.integers(0, 2))
    @in_loop
    async def the_connection_ends(self, refused: int) -> None:
        self.it.server.refusals = [REFUSED] * refused
        for link in list(self.it.server.links):
            link.end(closed(1006))

    @rule(missed=st.integers(0, 4), live=st.integers(0, 4), held=st.booleans())
    @in_loop
    async def an_outage(self, missed: int, live: int, held: bool) -> None:
        """What the rules above and below do as well, together: it is what this is about."""
        if held:
            self.hold_answers()
        for link in list(self.it.server.links):
            link.end(closed(1006))
        await self.say_live(missed)
        await self.it.time.advance(1.0)
        await self.say_live(live)

    @rule(wrong=st.lists(st.sampled_from(sorted(WRONG_ANSWERS)), max_size=6))
    def answer_wrongly(self, wrong: list[str]) -> None:
        self.log.wrong = list(wrong)

    @rule(page=st.sampled_from([1, 2, 3, 100]))
    def answer_in_pages(self, page: int) -> None:
        self.log.page = page

    @rule()
    def hold_answers(self) -> None:
        self.log.hold = self.log.hold or self.loop.create_future()

    @rule()
    def let_answers_go(self) -> None:
        self.log.go_on()

    @rule()
    @in_loop
    async def let_one_answer_go(self) -> None:
        self.log.go_on()
        self.log.hold = self.loop.create_future()
        await self.it.time.settle()

    # people

    @rule(what=BY_HAND)
    @in_loop
    async def by_hand(self, what: str) -> None:
        getattr(self.channel, what)()

    @rule(hold=st.sampled_from(["0s", "3s", "1m"]), by=st.sampled_from([".id", ".key"]))
    def reload(self, hold: str, by: str) -> None:
        self.do(self.apply(declared(self.base, by=by, hold=hold)))

    @rule()
    def take_the_backfill_away(self) -> None:
        self.asks = False
        self.do(self.apply(self.base))

    async def apply(self, *plans: ChannelPlan) -> None:
        self.plan = plans[0] if plans else self.plan
        self.it.manager.apply(replace(self.it.manager.plan, channels={plan.name: plan for plan in plans}))

    @precondition(lambda self: self.state is not None)
    @rule()
    @in_loop
    async def remove_and_declare(self) -> None:
        self.asks &= not self.backfill._gaps
        await self.apply()
        await self.it.time.advance(2.0)
        self.goes_on = True
        await self.apply(self.plan)

    @precondition(lambda self: self.state is not None)
    @rule()
    @in_loop
    async def end_and_begin_again(self) -> None:
        self.asks &= not self.backfill._gaps
        await self.close()
        self.goes_on = True
        await self.open()

    # time

    @rule(turns=st.integers(1, 4))
    @in_loop
    async def turn(self, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)

    @rule(seconds=st.sampled_from([0.0, 0.5, 2.0, 5.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        self.do(self.it.time.advance(seconds))

    # what must hold

    @invariant()
    def each_gap_is_recorded_once(self) -> None:
        if not hasattr(self, "it"):
            return
        channel = self.channel
        waiting = sum(isinstance(item, _Gap) for item in self.backfill._held)
        gaps = {reason: count for reason, count in channel.history.gaps.items() if reason in ("outage", "paused")}
        connects = channel.counters.connects
        assert sum(gaps.values()) + waiting == max(0, connects if self.goes_on else connects - 1)
        json.dumps([channel.status(), channel.stats()])

    async def told(self) -> list[tuple[Any, ...]]:
        """All in the history: ``("gap", backfilled)`` and ``("live", id)`` or ``("missed", id)``."""
        history = self.channel.history
        cursor, found = history.seek_start().cursor, []
        while (item := history.read(cursor)) is not None or cursor.seq < history.last:
            if item is None:
                await asyncio.sleep(0.001)  # the file is read in a thread
            else:
                cursor = item.cursor
                found += of(item.item)
        return found

    def judge(self, told: list[tuple[Any, ...]]) -> None:
        numbers = [number for kind, number in told if kind != "gap"]
        assert len(numbers) == len(set(numbers)), "none is there twice"
        assert set(numbers) >= self.live | self.log.answered, "none is lost"
        for at, (kind, count) in enumerate(told):
            if kind == "gap" and count is not None:
                after = told[at + 1 : at + 2 + count]
                assert [kind for kind, _ in after[:count]] == ["missed"] * count
                assert after[count:] == [] or after[count][0] != "missed"
        if self.in_order:
            live = [number for kind, number in told if kind == "live"]
            assert live == sorted(live)
            if ("gap", None) not in told:
                assert numbers == sorted(numbers)
        if self.asks and not self.log.gave_up:
            assert set(numbers) == set(range(1, self.log.last + 1)), "nothing is missing"

    def teardown(self) -> None:
        try:
            if hasattr(self, "it"):
                self.do(self.settles_and_ends())
        finally:
            self.loop.close()
            if getattr(self, "state", None) is not None:
                self.state.cleanup()

    async def settles_and_ends(self) -> None:
        """Once nothing is in its way any more, all that can be had is there; then all ends."""
        self.it.server.refusals, self.log.wrong = [], []
        self.log.go_on()
        self.channel.start()
        for _ in range(1000):
            await self.it.time.advance(10.0)
            if self.channel.state is S.READY and self.backfill._task is None:
                break
            await asyncio.sleep(0.001)
        assert not self.backfill._held
        await self.it.time.advance(60.0)
        assert not self.backfill.takes, "nothing is compared for ever"
        self.judge(await self.told())
        await self.close()

    async def close(self) -> None:
        await self.it.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}


def of(item: Batch | GapRecord) -> list[tuple[Any, ...]]:
    if isinstance(item, GapRecord):
        return [("gap", item.backfilled)] if item.reason in ("outage", "paused") else []
    kind = "missed" if item.backfill else "live"
    return [(kind, json.loads(payload)["id"]) for payload in item.payloads]


EachOnce.TestCase.settings = settings(max_examples=max(30, EXAMPLES // 20), stateful_step_count=40, deadline=None)
TestEachOnce = EachOnce.TestCase
