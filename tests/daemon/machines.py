"""State machines of hypothesis whose rules run in an event loop of the machine's own."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from tests.daemon.scripted import REFUSED, Scripted, ScriptedLink, closed, status
from wscli.config.plan import ChannelPlan
from wscli.core.failures import Failure
from wscli.daemon.channel.channel import Channel
from wscli.errors import UnknownChannel

__all__ = ["ENDS", "NAMES", "LoopMachine", "ManagerMachine", "in_loop", "name_of"]

NAMES = st.sampled_from(["news", "calls", "rooms/1", "rooms/2"])
ENDS = st.sampled_from([closed(code) for code in (1000, 1002, 1006, 1008, 4000, 4029, 4100, 4401)])
REFUSALS = st.sampled_from([REFUSED, status(401), status(410), status(503), status(503, retry_after=20.0), status(429)])
BY_HAND = st.sampled_from(["start", "stop", "restart", "pause", "resume"])


class LoopMachine(RuleBasedStateMachine):
    """Between two rules no time passes and no task runs, unless a rule says so."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine in the loop."""
        return self.loop.run_until_complete(work)


def in_loop(rule: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    """Make a rule of a coroutine function: it runs in the machine's loop."""

    @functools.wraps(rule)
    def run(self: LoopMachine, *args: Any, **kwargs: Any) -> Any:
        return self.do(rule(self, *args, **kwargs))

    return run


def name_of(link: ScriptedLink) -> str:
    return link.target.url.partition("/ws/")[2].partition("?")[0]


class ManagerMachine(LoopMachine):
    """Drives a manager of the channels ``news``, ``calls`` and ``rooms/{id}``."""

    it: Scripted

    def find(self, name: str) -> Channel | None:
        try:
            return self.it.manager.channel(name)
        except UnknownChannel:
            return None  # a reload took it away

    async def apply(self, plans: Iterable[ChannelPlan]) -> None:
        self.it.manager.apply(replace(self.it.manager.plan, channels={plan.name: plan for plan in plans}))

    @rule(name=NAMES, what=BY_HAND)
    @in_loop
    async def by_hand(self, name: str, what: str) -> None:
        if channel := self.find(name):
            getattr(channel, what)()

    @rule(failure=ENDS, index=st.integers(0, 9))
    @in_loop
    async def a_link_ends(self, failure: Failure, index: int) -> None:
        if links := self.it.server.links:
            links[index % len(links)].end(failure)

    @rule(refusals=st.lists(REFUSALS, max_size=4))
    def refuse(self, refusals: list[Failure]) -> None:
        self.it.server.refusals = list(refusals)

    async def ends(self) -> None:
        """Remove every fault, check what follows, and close the manager."""
        raise NotImplementedError

    def teardown(self) -> None:
        try:
            if hasattr(self, "it"):
                self.loop.run_until_complete(self.ends())
        finally:
            left = asyncio.all_tasks(self.loop)  # of a failed test, whose failure is to be shown
            for task in left:
                task.cancel()
            if left:
                self.loop.run_until_complete(asyncio.wait(left))
            self.loop.close()
