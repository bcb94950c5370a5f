"""A state machine of channels, connections, the disk and the clock: each accepted message is sent once, expires, is
removed or stays queued; a channel's messages leave in order; outcomes are true, and no task is left at the end.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any, NamedTuple

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from tests.daemon.machines import NAMES, in_loop, name_of
from tests.daemon.outbox.world import PLANS, OutboxWorld
from tests.examples import EXAMPLES
from wscli.core.states import ChannelState as S
from wscli.daemon.outbox.messages import NO_MESSAGES
from wscli.errors import NotSent, UnknownChannel, WscliError


class Request(NamedTuple):
    """The arguments of one call of ``queue``."""

    channel: str
    count: int
    ttl: float | None
    key: str | None


REQUESTS = st.builds(
    Request, NAMES, st.integers(1, 3), st.sampled_from([None, None, 0.0, 0.5, 5.0, 60.0]), st.none()
) | st.builds(Request, NAMES, st.just(1), st.sampled_from([None, 5.0]), st.sampled_from(["k", "j"]))


class Accepted(NamedTuple):
    """A message that the outbox accepted."""

    channel: str
    payload: bytes
    key: str | None


class EachMessageOnce(OutboxWorld):
    def __init__(self) -> None:
        super().__init__()
        self.number = 0
        self.accepted: dict[int, Accepted] = {}
        self.removed: set[int] = set()

    # requests

    @rule(requests=st.lists(REQUESTS, min_size=1, max_size=4))
    @in_loop
    async def queue(self, requests: list[Request]) -> None:
        await asyncio.gather(*(self.accept(request) for request in requests))

    async def accept(self, request: Request) -> None:
        payloads = [f"{self.number + index}".encode() for index in range(request.count)]
        self.number += request.count
        try:
            name = self.it.manager.channel(request.channel).name
            options: dict[str, Any] = {"binary": False, "ttl": request.ttl, "key": request.key, "waiter": self.waiter}
            added = await self.outbox.queue(name, payloads, **options)
        except (UnknownChannel, NotSent):
            return
        if not added["queued"]:
            first = self.accepted[added["first"]]
            assert (first.channel, first.key) == (name, request.key), "the known message has that key"
            return
        assert added["queued"] == request.count
        for number, payload in enumerate(payloads, added["first"]):
            assert number not in self.accepted
            self.accepted[number] = Accepted(name, payload, request.key)
            self.watched.add(number)

    @rule(index=st.integers(0, 99))
    @in_loop
    async def remove_one(self, index: int) -> None:
        with suppress(WscliError):  # it is being sent, or the disk refuses
            if rows := await self.outbox.list([]):
                number = rows[index % len(rows)]["id"]
                await self.outbox.remove([number])
                self.removed.add(number)

    @rule(name=NAMES)
    @in_loop
    async def remove_all_of_a_channel(self, name: str) -> None:
        with suppress(WscliError):
            before = {row["id"] for row in await self.outbox.list([name])}
            try:
                await self.outbox.remove_channel(name)
            finally:
                self.removed |= before - {row["id"] for row in await self.outbox.list([name])} - self.gone()

    @rule()
    @in_loop
    async def remove_what_expired(self) -> None:
        with suppress(WscliError):
            expired = {row["id"] for row in await self.outbox.list([]) if row["state"] == "expired"}
            await self.outbox.remove_expired()
            self.removed |= expired

    # invariants

    def gone(self) -> set[int]:
        taken = {payload for _, payload in self.taken}
        return {number for number, one in self.accepted.items() if one.payload in taken}

    @invariant()
    def each_message_is_sent_once_or_listed_or_was_removed(self) -> None:
        rows = {row["id"]: row for row in self.do(self.outbox.list([]))}
        sent = self.gone()
        assert max(Counter(self.taken).values(), default=0) <= 1
        assert sent.isdisjoint(rows)
        assert sent.isdisjoint(self.removed)
        assert self.removed.isdisjoint(rows)
        assert sent | self.removed | set(rows) == set(self.accepted)
        for number in self.watched:
            told, row = self.told.get(number), rows.get(number)
            assert (told is None) == (row is not None and row["state"] == "queued"), (
                "an outcome is told when the message leaves the queue"
            )
            if told is None:
                continue
            doubted = self.accepted[number].payload in self.doubted
            assert told["outcome"] in (
                ("sent",) if number in sent else ("unknown",) if doubted else ("expired", "removed")
            )
        self.check_counts(list(rows.values()))
        self.check_keys({number for number, row in rows.items() if row["state"] == "queued"} | sent)

    def check_counts(self, rows: list[dict[str, Any]]) -> None:
        counted = Counter((row["channel"], row["state"]) for row in rows)
        for channel in self.it.manager.channels():
            expected = {state: counted[channel.name, state] for state in NO_MESSAGES}
            assert self.outbox.counts(channel.name) == expected
            assert channel.stats()["outbox"] == expected
            assert channel.in_use == bool(expected["queued"]), "a channel is in use while it has queued messages"
            busy = {name_of(link) for link, _ in self.waiting.values()}
            assert channel.state is not S.READY or not expected["queued"] or channel.name in busy, "it is stuck"
        now = self.it.time.wall()
        held = {payload for _, payload in self.waiting.values()}
        for row in rows:
            if row["state"] == "queued" and self.accepted[row["id"]].payload not in held:
                assert row["expires_at"] is None or row["expires_at"] > now, "it has expired"

    def check_keys(self, known: set[int]) -> None:
        keys = Counter((one.channel, one.key) for number in known if (one := self.accepted[number]).key is not None)
        assert max(keys.values(), default=0) <= 1

    @invariant()
    def the_messages_of_a_channel_leave_in_their_order(self) -> None:
        last: dict[str, int] = {}
        numbers = {one.payload: number for number, one in self.accepted.items()}
        for name, payload in self.taken:
            number = numbers[payload]
            assert self.accepted[number].channel == name
            assert number > last.get(name, 0)
            last[name] = number

    async def ends(self) -> None:
        """Remove every fault: all messages are sent in time, and all tasks end."""
        self.it.server.refusals, self.stalled, self.disk_fails = [], False, 0
        for future in list(self.waiting):
            self.settle(future, taken=True)
        async with asyncio.timeout(60):
            await self.apply(PLANS)
            await self.quiet()
            for name in {row["channel"] for row in await self.outbox.list([]) if row["state"] == "queued"}:
                self.it.manager.channel(name).start()
            await self.it.time.advance(60.0)
            await self.look_at_the_clock()
            await self.quiet()
            left = [row for row in await self.outbox.list([]) if row["state"] != "expired"]
            assert left == [], [channel.status() for channel in self.it.manager.channels()]
            await self.outbox.flush()
            await self.down()


EachMessageOnce.TestCase.settings = settings(
    max_examples=max(30, EXAMPLES // 20), stateful_step_count=30, deadline=None
)
TestEachMessageOnce = EachMessageOnce.TestCase
