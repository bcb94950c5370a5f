"""Whatever happens to a manager in whatever order: one connection a channel, or two of which one is its named
successor, none without a state that holds one, no channel that is stuck, and nothing left at the end.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import ExitStack
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from tests.daemon.machines import ENDS, NAMES, ManagerMachine, in_loop, name_of
from tests.daemon.scripted import Scripted, ScriptedLink, changed, channel_plan, closed, with_token
from tests.examples import EXAMPLES
from wscli.config.models.upstream import Rotate
from wscli.core.failures import Failure
from wscli.core.states import HOLDS_CONNECTION, SETTLED
from wscli.core.states import ChannelState as S
from wscli.core.verdicts import parse_verdicts
from wscli.daemon.upstream.attempts.attempt import Attempt
from wscli.errors import WscliError
from wscli.tokens.models import TokenSource
from wscli.values import Rate

VERDICTS = (parse_verdicts({"4000": "reconnect", "4100": "done", "4029": {"retry": "60s"}}),)
PACED = {"verdicts": VERDICTS}
RATE = Rate(4, 1.0)
PLANS = (
    with_token(channel_plan("news", rotate=Rotate(max_age=20.0, before_expiry=60.0), **PACED)),
    channel_plan("calls", eager=False, critical=False, linger=5.0, **PACED),
    channel_plan("rooms/{id}", rotate=Rotate(max_age=30.0), **PACED),
)
TOKENS = {"session": TokenSource.model_validate({"value": "s3cret", "expires_in": "90s"})}

KEYS = [{"linger": 2.0}, {"rotate": None}, {"eager": True}, {"eager": False}, {"max_message": 1}, {"max_message": 2}]
CHANGES = st.sampled_from([None, {}, *KEYS])


class OneConnectionAName(ManagerMachine):
    def __init__(self) -> None:
        super().__init__()
        self.uses: list[tuple[str, ExitStack]] = []
        self.senders: list[asyncio.Task[None]] = []

    @initialize(slow=st.booleans())
    @in_loop
    async def begin(self, slow: bool) -> None:
        self.it = Scripted(*PLANS, tokens=TOKENS, rate=RATE)
        self.it.server.on_open = lambda link: setattr(link, "slow_close", 60.0 if slow else 0.0)
        self.it.manager.open()

    # what people do

    @rule(name=NAMES)
    @in_loop
    async def use(self, name: str) -> None:
        if channel := self.find(name):
            stack = ExitStack()
            stack.enter_context(channel.use())
            self.uses.append((name, stack))

    @rule(index=st.integers(0, 9))
    @in_loop
    async def unuse(self, index: int) -> None:
        if self.uses:
            self.uses.pop(index % len(self.uses))[1].close()

    @rule(changes=st.tuples(CHANGES, CHANGES, CHANGES.filter(lambda change: change != {"eager": True})))
    def reload(self, changes: tuple[dict[str, Any] | None, ...]) -> None:
        pairs = zip(PLANS, changes, strict=True)
        self.do(self.apply([changed(plan, **change) for plan, change in pairs if change is not None]))

    @rule()
    def rename_a_parameter(self) -> None:
        renamed = changed(channel_plan("rooms/{room}"), params=("room",), eager=False, **PACED)
        self.do(self.apply([*PLANS[:2], renamed]))

    @rule()
    def reload_to_nothing_and_back(self) -> None:
        self.do(self.apply([]))
        self.do(self.apply(PLANS))

    @rule(name=NAMES)
    @in_loop
    async def send(self, name: str) -> None:
        if channel := self.find(name):
            sending = channel.send(b"hello", binary=False, timeout=3600.0)
            self.senders.append(asyncio.ensure_future(sending))

    @rule(index=st.integers(0, 9))
    def cancel_a_sender(self, index: int) -> None:
        if self.senders:
            self.senders[index % len(self.senders)].cancel()

    @rule(name=NAMES)
    @in_loop
    async def doctor(self, name: str) -> None:
        if channel := self.find(name):
            work = self.it.manager.dial_once(channel)
            self.senders.append(asyncio.ensure_future(work))  # type: ignore[arg-type]  # what it gives is not used

    # what the world does

    @rule(online=st.booleans())
    @in_loop
    async def network(self, online: bool) -> None:
        self.it.network(online)

    @rule(failure=ENDS)
    @in_loop
    async def all_links_end(self, failure: Failure) -> None:
        for link in list(self.it.server.links):
            link.end(failure)

    @rule(slow=st.sampled_from([0.0, 0.5, 60.0]), at_once=st.sampled_from([None, None, closed(1006), closed(4000)]))
    def open_differently(self, slow: float, at_once: Failure | None) -> None:
        def on_open(link: ScriptedLink) -> None:
            link.slow_close = slow
            link.say("hello")
            if at_once is not None:
                link.end(at_once)

        self.it.server.on_open = on_open

    @rule()
    def hold_dials(self) -> None:
        self.it.server.hold = self.it.server.hold or self.loop.create_future()

    @rule()
    def let_dials_go_on(self) -> None:
        hold, self.it.server.hold = self.it.server.hold, None
        if hold is not None and not hold.done():
            hold.set_result(None)

    @rule()
    def deafen(self) -> None:
        for link in self.it.server.links:
            link.deaf = True

    @rule(turns=st.integers(1, 4))
    @in_loop
    async def turn(self, turns: int) -> None:
        for _ in range(turns):
            await asyncio.sleep(0)

    @rule(seconds=st.sampled_from([0.0, 0.3, 1.0, 5.0, 30.0, 700.0]))
    def time_passes(self, seconds: float) -> None:
        self.do(self.it.time.advance(seconds))

    # what must hold

    @invariant()
    def there_is_one_connection_of_a_name_at_most_and_a_state_that_holds_it_or_its_named_successor_beside(self) -> None:
        ours = [link for link in self.it.server.links if isinstance(link.listener, Attempt)]  # the rest is doctor's
        names = Counter(map(name_of, ours))
        rotating = {channel.name for channel in self.it.manager.channels() if channel.stats()["successor"] is not None}
        rotating |= set(names) - {name_of(link) for link in ours if not link.listener.retired}  # hung up, both of them
        assert all(count == 1 or (count == 2 and name in rotating) for name, count in names.items()), names
        attempts = [(one.subscription.upstream.attempts, one.state) for one in self.it.manager.channels()]
        assert {state for one, state in attempts if one.present is not None} <= HOLDS_CONNECTION
        held = {attempt for one, _ in attempts for attempt in (one.present, one.successor, *one.draining)}
        assert {link.listener for link in ours if not link.listener.retired} <= held

    @invariant()
    def no_state_lies(self) -> None:
        for channel in self.it.manager.channels():
            attempt = channel.subscription.upstream.attempts.present
            assert (attempt is not None) == (channel.state in HOLDS_CONNECTION)
            if channel.state is S.READY:
                assert channel.connection in self.it.server.links
            elif attempt is not None:
                assert attempt.task is not None
                assert not attempt.task.done()
            shown = channel.status()
            json.dumps([shown, channel.stats()])
            held = channel.state is S.CONNECTING and "is held back" in shown["reason"]["text"]
            assert (shown["next"]["at"] is not None) == (channel.state is S.WAITING or held)
            assert shown["reason"]["text"]
            assert shown["reason"]["code"] != "internal"
            assert (channel.stats()["retry_in_s"] is not None) == (channel.state is S.WAITING)

    @invariant()
    def there_is_one_gap_between_two_connections(self) -> None:
        for channel in self.it.manager.channels():
            assert sum(channel.history.gaps.values()) == max(
                0, channel.counters.connects - channel.counters.rotations - 1
            )

    async def ends(self) -> None:
        """Once nothing is in its way any more, what is wanted is ready, and what is not closes; then all ends."""
        server, time = self.it.server, self.it.time
        server.refusals, server.on_open = [], lambda link: None
        self.let_dials_go_on()
        self.it.network(online=True)
        for sender in self.senders:
            sender.cancel()
        ends = await asyncio.gather(*self.senders, return_exceptions=True)
        assert all(end is None or isinstance(end, (WscliError, asyncio.CancelledError)) or end.started for end in ends)
        await time.advance(200.0)
        for channel in self.it.manager.channels():
            wanted = S.READY if channel.usage.wanted else S.IDLE
            assert channel.state in SETTLED | {wanted}, channel.status()
        if len(self.uses) % 2:
            for _, stack in self.uses:
                stack.close()
        await self.it.close()
        for _, stack in self.uses:
            stack.close()
        assert time.pending == []
        assert asyncio.all_tasks() == {asyncio.current_task()}


OneConnectionAName.TestCase.settings = settings(
    max_examples=max(50, EXAMPLES // 10), stateful_step_count=40, deadline=None
)
TestOneConnectionAName = OneConnectionAName.TestCase
