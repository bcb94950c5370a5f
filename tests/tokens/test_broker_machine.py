"""Hypothesis drives the broker: time, uses, refusals, failures, in any order."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test

from tests.daemon.machines import LoopMachine, in_loop
from tests.tokens.conftest import turns
from wscli.core.backoff import BackoffPolicy, delay_for
from wscli.tokens.broker import Broker
from wscli.tokens.errors import SourceFailed, TokenFailed
from wscli.tokens.fetcher import BrokerToken, FetchContext, SourceAnswer
from wscli.tokens.models import TokenSource
from wscli.values import Secret

REFRESH = 0.5
BACKOFF = BackoffPolicy(initial=1.0, max=8.0, jitter="none")


class TokenFetcher:
    """Notes every fetch, judges whether it was needed, and lets the machine answer it."""

    def __init__(self, machine: BrokerMachine) -> None:
        self.machine = machine
        self.pending: asyncio.Future[SourceAnswer] | None = None
        self.begun = 0

    async def fetch(self, context: FetchContext) -> SourceAnswer:
        if self.pending is not None:
            self.machine.broken.append("two fetches at once")
        if not self.machine.needs_fetch():
            self.machine.broken.append("an unnecessary fetch")
        if self.machine.now < self.machine.no_sooner:
            self.machine.broken.append("a fetch within the wait")
        self.begun += 1
        self.pending = asyncio.get_running_loop().create_future()
        try:
            return await self.pending
        finally:
            self.pending = None

    def references(self) -> frozenset[str]:
        return frozenset()


class BrokerMachine(LoopMachine):
    """The broker, and what it promises."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.broken: list[str] = []
        self.source = TokenFetcher(self)
        self.newest: BrokerToken | None = None
        """The newest token that anybody saw."""
        self.refused: set[int] = set()
        self.lives: dict[str, float | None] = {}
        """Seconds, by the token's text."""
        self.users: list[asyncio.Task[None]] = []
        self.no_sooner = 0.0
        self.failures = 0
        """Failed fetches in a row."""
        source = TokenSource.model_construct(http=self.source, refresh=REFRESH)
        self.broker = Broker(
            {"s": source}, base=Path(), clock=self, environ={}, backoff=BACKOFF, chance=random.Random(1)
        )

    def boottime(self) -> float:
        return self.now

    monotonic = wall = boottime

    def needs_fetch(self) -> bool:
        token = self.broker.peek("s")
        if token is None:
            return True
        life = self.lives[token.value.reveal()]
        return token.expires_at is not None and life is not None and self.now >= token.expires_at - life * REFRESH

    def see(self, token: BrokerToken) -> None:
        if token.expires_at is not None and token.expires_at <= self.now:
            self.broken.append("an expired token was served")
        if token.version in self.refused:
            self.broken.append("a refused token was served")
        if self.newest is not None and token.version < self.newest.version:
            self.broken.append("an older token was served after a newer one")
        self.newest = token

    async def one_use(self) -> None:
        try:
            self.see(await self.broker.get("s"))
        except TokenFailed as error:
            if "unexpectedly" in str(error):
                self.broken.append(str(error))

    @rule(users=st.integers(1, 5))
    @in_loop
    async def use(self, users: int) -> None:
        self.users += [asyncio.create_task(self.one_use()) for _ in range(users)]
        await turns()

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0, 10.0, 100.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.source.pending is not None)
    @rule(life=st.none() | st.sampled_from([1.0, 5.0, 50.0]))
    @in_loop
    async def answer(self, life: float | None) -> None:
        assert self.source.pending is not None
        text = f"t{len(self.lives)}"
        self.lives[text] = life
        self.source.pending.set_result(SourceAnswer(Secret(text), life))
        self.failures = 0
        await turns()
        token = self.broker.peek("s")
        if token is not None:
            self.see(token)

    @precondition(lambda self: self.source.pending is not None)
    @rule(retry_after=st.none() | st.just(2.0))
    @in_loop
    async def fail(self, retry_after: float | None) -> None:
        assert self.source.pending is not None
        before = self.broker.peek("s")
        self.source.pending.set_exception(SourceFailed("no", retry_after=retry_after))
        self.no_sooner = self.now + max(delay_for(BACKOFF, self.failures + 1, random.Random(1)), retry_after or 0.0)
        self.failures += 1
        await turns()
        assert self.broker.peek("s") is before, "a failure took a valid token away"

    @precondition(lambda self: self.newest is not None)
    @rule(channels=st.integers(1, 20), ago=st.integers(0, 3))
    def refuse(self, channels: int, ago: int) -> None:
        assert self.newest is not None
        version = self.newest.version - ago
        dropped = sum(self.broker.invalidate("s", version) for _ in range(channels))
        assert dropped <= (ago == 0 and version not in self.refused), "a version was dropped twice, or one that is gone"
        self.refused.add(version)

    @precondition(lambda self: bool(self.users))
    @rule()
    @in_loop
    async def give_up(self) -> None:
        self.users[-1].cancel()
        await turns()

    @invariant()
    def promises_are_kept(self) -> None:
        assert self.broken == []
        for user in [user for user in self.users if user.done()]:
            self.users.remove(user)
            assert user.cancelled() or user.exception() is None
        assert self.source.pending is not None or not self.users, "a user waits without a fetch"
        stats = self.broker.stats()["s"]
        assert stats["fetches"] == self.source.begun
        assert (stats["state"] == "valid") == (self.broker.peek("s") is not None)

    def teardown(self) -> None:
        self.do(self.broker.close())
        self.do(turns())
        assert all(user.done() for user in self.users)
        self.promises_are_kept()
        self.loop.close()


def test_the_broker_keeps_its_promises_in_any_order() -> None:
    """Never two fetches at once, never an expired or refused token, one fetch a refused version."""
    run_state_machine_as_test(BrokerMachine, settings=settings(max_examples=300, stateful_step_count=40, deadline=None))
