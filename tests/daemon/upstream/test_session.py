"""The seam for a session: an open connection is ready once its session says so, and a verdict may come from it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.daemon.scripted import Scripted, channel_plan, closed, scripted
from tests.daemon.scripted_session import ScriptedSessions
from wscli.config.models.upstream import Rotate
from wscli.core.failures import Action, Failure, FailureKind, Verdict
from wscli.core.states import ChannelState as S
from wscli.core.verdicts import SessionMoment
from wscli.daemon.channel.channel import Channel
from wscli.daemon.upstream.session.seam import SessionFailed
from wscli.templates import compile_template
from wscli.transport.connection import Connection

EXPIRED = Failure(FailureKind.CLOSE, "the session expired", code=4007)


@asynccontextmanager
async def opened(**changes: Any) -> AsyncIterator[tuple[Scripted, Channel, ScriptedSessions]]:
    """A channel whose connection is open, and whose session is not ready yet."""
    sessions = ScriptedSessions(hello=False)
    async with scripted(channel_plan(eager=False, **changes), make_session=sessions.make) as it:
        it.channel.start()
        await it.time.settle()
        yield it, it.channel, sessions


async def test_a_channel_is_handshaking_until_its_session_is_ready() -> None:
    async with opened() as (it, channel, session):
        assert (channel.state, channel.connection, channel.counters.connects) == (S.HANDSHAKING, None, 0)
        assert [one.connection for one in session.made] == [it.server.link]
        session.last.ready()
        assert (channel.state, channel.connection, channel.counters.connects) == (S.READY, it.server.link, 1)
        session.last.ready()
        assert channel.counters.connects == 1, "ready twice"


async def test_messages_before_it_is_ready_are_received_after_the_gap() -> None:
    async with opened() as (it, channel, session):
        it.server.link.say("news early")
        assert channel.history.last == 0
        session.last.ready()
        assert channel.history.last == 1


async def test_health_counts_from_ready_and_not_from_the_open_connection() -> None:
    async with opened() as (it, channel, session):
        await it.time.advance(60)
        it.server.link.end(closed(1006))
        assert (channel.state, channel.snapshot.attempt) == (S.WAITING, 1)
        await it.time.advance(1.01)
        await it.time.advance(60)
        it.server.link.end(closed(1006))
        assert channel.status()["attempt"] == 2, "sixty open seconds that were never ready are no health"
        await it.time.advance(2.01)
        session.last.ready()
        await it.time.advance(60)
        it.server.link.end(closed(1006))
        assert channel.stats()["retry_in_s"] == 1.0, "the backoff starts anew"


async def test_an_end_before_it_is_ready_is_no_end_of_a_channels_connection() -> None:
    async with opened() as (it, channel, _):
        it.server.link.end(closed(1006))
        assert channel.counters.last_close is None


async def test_a_verdict_of_the_session_closes_the_connection_and_dials_again() -> None:
    async with opened() as (it, channel, session):
        session.last.ready()
        first = it.server.link
        session.last.listener.judged(Verdict(Action.FRESH), EXPIRED)
        await it.time.settle()
        assert (first.open, session.forgotten, len(it.server.dials)) == (False, ["*"], 2)
        session.last.ready()
        assert (channel.state, channel.counters.reconnects) == (S.READY, {"close:4007": 1})


async def test_the_verdict_replace_opens_the_next_connection_before_this_one_is_closed() -> None:
    async with opened() as (it, channel, session):
        session.last.ready()
        session.last.listener.judged(Verdict(Action.REPLACE), EXPIRED)
        await it.time.settle()
        assert (channel.state, len(it.server.links)) == (S.READY, 2)
        session.last.ready()
        await it.time.settle()
        assert (channel.state, len(it.server.links)) == (S.READY, 1)
        assert (channel.stats()["rotations"], channel.counters.gaps) == (1, {})


async def test_a_verdict_on_a_connection_that_is_over_does_nothing() -> None:
    async with opened() as (it, channel, session):
        session.last.ready()
        late = session.last.listener.judged
        it.server.link.end(closed(1006))
        late(Verdict(Action.STOP), EXPIRED)
        assert channel.state is S.WAITING
        await it.time.advance(2)
        late(Verdict(Action.STOP), EXPIRED)
        assert channel.state is S.HANDSHAKING


class Preparing:
    """What a channel does on a new connection before it is ready."""

    def __init__(self) -> None:
        self.begun = 0

    async def __call__(self, connection: Connection) -> str | None:
        self.begun += 1
        return None

    def connection(self, number: int) -> Connection | None:
        return None


async def test_a_connection_that_ends_as_it_opens_is_not_prepared() -> None:
    async with scripted() as it:
        it.channel.on_connect = hook = Preparing()
        it.server.on_open = lambda link: link.end(closed(1013))
        it.server.link.end(closed(1012))
        await it.time.advance(1.01)
        assert (it.channel.status()["reason"]["code"], hook.begun) == ("close:1013", 0)


async def test_a_pong_of_a_successor_says_nothing_of_the_connection_that_is_probed() -> None:
    raised: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, problem: raised.append(problem))
    async with opened(rotate=Rotate(max_age=60.0)) as (it, channel, session):
        session.last.ready()
        await it.time.advance(61)
        old, new = it.server.links
        assert channel.stats()["successor"]
        old.deaf = True
        it.network(online=False)
        assert channel.snapshot.probing
        upstream = channel.subscription.upstream
        assert upstream.attempts.successor is not None
        assert upstream.attempts.successor.watch is not None
        upstream.attempts.successor.watch.probe()
        await it.time.settle()
        assert (new.pings > 0, channel.snapshot.probing, raised) == (True, True, [])


async def test_what_goes_before_a_dial_is_shown_and_gives_its_variables() -> None:
    sessions = ScriptedSessions()
    waits: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
    sessions.prepare = lambda: waits  # type: ignore[method-assign,assignment,return-value]
    plan = channel_plan(query={"ticket": compile_template("{var.ticket}", ("var",))})
    async with scripted(plan, make_session=sessions.make) as it:
        assert (it.channel.state, it.server.dials) == (S.CONNECTING, [])
        assert it.channel.status()["reason"]["text"] == "http GET ticket"
        waits.set_result({"ticket": "t1"})
        await it.time.settle()
        assert (it.channel.state, it.server.link.target.url) == (S.READY, "ws://192.0.2.1/ws/news?ticket=t1")


@pytest.mark.parametrize(
    ("verdict", "state", "dials"), [(None, S.WAITING, 0), (Verdict(Action.STOP), S.FAILED, 0), ("declared", S.DONE, 0)]
)
async def test_a_step_that_fails_before_the_dial_meets_its_verdict_or_the_declared_ones(
    verdict: Verdict | str | None, state: S, dials: int
) -> None:
    sessions, failure = ScriptedSessions(), Failure(FailureKind.SESSION, "no ticket", moment="before")

    async def fail() -> Mapping[str, Any]:
        raise SessionFailed(failure, verdict if isinstance(verdict, Verdict) else None)

    sessions.prepare = fail  # type: ignore[method-assign]
    table = ({SessionMoment("before"): Verdict(Action.DONE)},) if verdict == "declared" else ()
    async with scripted(channel_plan(verdicts=table), make_session=sessions.make) as it:
        await it.time.settle()
        assert (it.channel.state, len(it.server.dials)) == (state, dials)
        assert it.channel.status()["reason"] == {"code": "session:before", "text": "no ticket"}


async def test_a_session_is_told_while_reading_is_paused() -> None:
    async with opened() as (_, channel, session):
        session.last.ready()
        channel.subscription.hold(True)
        channel.subscription.hold(False)
        assert session.last.held_for == [True, False]


async def test_a_channel_that_resumes_records_no_gap() -> None:
    async with opened() as (it, channel, session):
        session.last.ready()
        it.server.link.end(closed(1006))
        await it.time.advance(1.1)
        session.subscribe = False
        session.last.ready()
        session.last.accept("news", resumed=True)
        assert (channel.state, channel.counters.gaps, channel.counters.reconnects) == (S.READY, {}, {"close:1006": 1})
