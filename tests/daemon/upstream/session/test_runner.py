"""The shell around a pure session: its actions are carried out in order, and its end leaves nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.daemon.upstream.session.bench import Bench
from tests.daemon.upstream.session.conftest import Parts, Text
from wscli.core.failures import Action, Failure, FailureKind, Verdict
from wscli.daemon.upstream.session.seam import AwaitedReply, SessionFailed
from wscli.errors import NotSent
from wscli.session.actions import (
    AskTokens,
    ByeOver,
    Call,
    CountUnrouted,
    Deliver,
    JudgeChannel,
    JudgeUpstream,
    Keep,
    RecordGap,
    Reply,
    Send,
    SessionReady,
    SetTimer,
    Stepped,
    StepWaits,
    SubscriptionReady,
    Unsubscribed,
)  # fmt: skip

REFUSED = Failure(FailureKind.SESSION, "refused: s3cret-one", moment="hello")
STOP = Verdict(Action.STOP)


@pytest.fixture
def b(parts: Parts) -> Iterator[Bench]:
    bench = Bench(parts)
    yield bench
    bench.it.end()


# before the dial


async def test_before_is_over_at_once_where_nothing_is_to_be_done(b: Bench) -> None:
    b.session.on["begin"] = (SessionReady(),)
    assert await b.it.prepare() == {"url": "wss://h"}
    assert (b.session.told, b.told) == (["begin", "dialling"], [])


async def test_before_waits_for_its_calls_and_gives_the_variables(b: Bench) -> None:
    b.session.on["begin"] = (StepWaits(None, "fetching a ticket"), Call(1, AskTokens(frozenset({"api"})), 5.0, None))
    b.session.on["answered"] = (SessionReady(),)
    assert await b.it.prepare() == {"url": "wss://h"}
    assert b.session.told == ["begin", ("answered", 1, {"api": "s3cret-one"}), "dialling"]
    assert b.told == [("progressed", "fetching a ticket")]


async def test_a_step_that_fails_before_the_dial_fails_the_attempt_without_secrets(b: Bench) -> None:
    b.session.on["begin"] = (Call(1, AskTokens(frozenset({"api"})), 5.0, None),)
    b.session.on["answered"] = (JudgeUpstream(STOP, REFUSED),)
    with pytest.raises(SessionFailed) as caught:
        await b.it.prepare()
    assert (caught.value.verdict, caught.value.failure.text) == (STOP, "refused: ***")


# on the connection


async def test_channels_that_are_open_join_before_hello_and_are_told_once_the_upstream_lets_them(b: Bench) -> None:
    news, delivery = b.news, Deliver(b.news, [b"x"], None)
    b.session.on["opened"] = (SessionReady(resumed=True), SubscriptionReady(news, resumed=False), delivery)
    b.it.open(b.parts.link)
    assert b.session.told == [("join", news), "opened"]
    assert b.told == [("ready", True)]
    b.it.join(news)
    assert b.told == [("ready", True), ("subscribed", news, False), ("deliver", news, delivery, b.it._logged)]
    assert b.session.told == [("join", news), "opened"], "it joined before"


async def test_a_channel_that_was_closed_during_hello_leaves_again(b: Bench) -> None:
    b.it.open(b.parts.link)
    b.news.joined = False
    b.tell(SessionReady())
    assert b.session.told[-1] == ("leave", b.news)
    b.it.join(b.news)
    assert b.session.told[-1] == ("join", b.news)


async def test_what_arrives_before_the_session_is_opened_is_processed_then(b: Bench) -> None:
    b.it.receive([b"early"], None)
    b.it.open(b.parts.link)
    assert b.session.told == [("join", b.news), "opened", ("received", [b"early"], None)]


async def test_an_input_that_an_action_causes_waits_until_all_actions_are_carried_out(b: Bench) -> None:
    b.open()
    b.on["deliver"] = lambda member, delivery, logged: logged(9)
    b.session.on["logged"] = (Send(Text("ack")),)
    b.tell(Deliver(b.news, [b"x"], None, acks=[(0, 9)]), Send(Text("first")), RecordGap(b.news, "skipped", 3))
    assert b.sent == ["first", "ack"]
    assert [name for name, *_ in b.told] == ["deliver", "gap"]


async def test_each_action_of_a_channel_is_told_to_the_upstream(b: Bench) -> None:
    b.open()
    b.tell(
        StepWaits(b.news, "waiting"), SubscriptionReady(b.news, resumed=True), RecordGap(b.news, "declared", None),
        JudgeChannel(b.news, None, REFUSED), Unsubscribed(b.news), JudgeUpstream(None, REFUSED),
    )  # fmt: skip
    assert b.told == [
        ("subscribing", b.news, "waiting"), ("subscribed", b.news, True), ("gap", b.news, "declared", None),
        ("refused", b.news, None, REFUSED), ("unsubscribed", b.news), ("judged", None, REFUSED),
    ]  # fmt: skip


async def test_kept_values_go_to_the_channels_history(b: Bench) -> None:
    b.open()
    b.tell(Keep(b.news, {"sub": {"seq": 1}}))
    assert b.kept == [{"sub": {"seq": 1}}]


async def test_timers_ring_are_replaced_and_end_with_the_session(b: Bench) -> None:
    b.open(SessionReady(), SetTimer(1, 5.0), SetTimer(2, 5.0), SetTimer(3, 1e9))
    b.tell(SetTimer(1, 10.0), SetTimer(2, None))
    b.session.told.clear()
    await b.parts.time.advance(9.0)
    assert b.session.told == []
    await b.parts.time.advance(1.0)
    assert b.session.told == [("due", 1)]
    b.it.end()
    assert b.parts.time.pending == []


async def test_steps_are_recorded_for_doctor_without_secrets(b: Bench) -> None:
    b.open()
    b.tell(Call(1, AskTokens(frozenset({"api"})), 5.0, None))
    await b.parts.time.settle()
    b.tell(Stepped(None, "hello[0]", "send auth", 0.5, '{"echo":"s3cret-one"}', ok=False))
    ((at, step),) = b.record.shown_session("news")
    assert (at, step.place, step.answer, step.ok) == (b.parts.time.wall(), "hello[0]", '{"echo":"***"}', False)


async def test_the_steps_of_a_channel_that_left_are_forgotten(b: Bench) -> None:
    b.open()
    b.tell(Stepped(b.news, "subscribe[0]", "send subscribe", 0.5, "", ok=True))
    assert len(b.record.shown_session("news")) == 1
    b.tell(Unsubscribed(b.news))
    assert b.record.shown_session("news") == []


async def test_an_error_of_ours_ends_the_connection_in_words(b: Bench) -> None:
    b.open()

    def broken(*_: Any) -> Sequence[Any]:
        raise ZeroDivisionError

    b.session.on["received"] = broken
    b.it.receive([b"x"], None)
    ((name, verdict, failure),) = b.told
    assert (name, verdict, failure.kind) == ("judged", Verdict(Action.RETRY), FailureKind.SESSION)
    assert failure.text == "an error of wscli itself: ZeroDivisionError; `wscli logs` has more"


async def test_after_the_end_nothing_is_told_or_asked(b: Bench) -> None:
    b.open(SessionReady(), SetTimer(1, 5.0), Call(1, AskTokens(frozenset({"api"})), 5.0, None))
    b.tell(Deliver(b.news, [b"x"], None, acks=[(0, 9)]))
    logged = b.told[-1][-1]
    b.it.end()
    b.told.clear()
    b.session.told.clear()
    logged(9)
    b.it.receive([b"late"], None)
    await b.parts.time.advance(60.0)
    assert (b.told, b.session.told) == ([], [])


# programs


async def test_a_programs_message_is_wrapped_and_its_size_is_what_was_written(b: Bench) -> None:
    b.open()
    assert await b.it.send(b.news, b"hi", binary=False, timeout=5.0) == len(b"wrapped hi")
    assert b.sent == ["wrapped hi"]
    with pytest.raises(NotSent, match="outgoing: none"):
        await b.it.send(b.news, b"never", binary=False, timeout=5.0)


class Heard:
    """What an asker is told."""

    def __init__(self) -> None:
        self.told: list[object] = []
        self.reply = AwaitedReply(lambda payload, binary: self.told.append((payload, binary)), self.lost)

    def lost(self) -> None:
        self.told.append("lost")


async def test_a_request_gets_its_reply_once(b: Bench) -> None:
    heard = Heard()
    b.open()
    await b.it.send(b.news, b"hi", binary=False, timeout=5.0, reply=heard.reply)
    b.tell(Reply("wrapped other", b"no"), Reply("wrapped hi", b"yes", True), Reply("wrapped hi", b"twice"))
    heard.reply.forget()
    assert b.session.told[-1] == ("forget", "wrapped hi")
    heard.reply.forget()
    b.it.end()
    assert heard.told == [(b"yes", True)]


async def test_a_request_whose_connection_ends_is_told_so(b: Bench) -> None:
    heard = Heard()
    b.open()
    await b.it.send(b.news, b"hi", binary=False, timeout=5.0, reply=heard.reply)
    b.it.end()
    assert heard.told == ["lost"]


async def test_messages_that_no_channel_gets_are_counted_for_the_whole_manager(b: Bench) -> None:
    b.open()
    b.tell(CountUnrouted(2), CountUnrouted(3))
    b.it.end()
    assert b.parts.services.unrouted.messages == 5


# the end


async def test_bye_is_over_when_the_session_says_so_or_the_connection_ends(b: Bench) -> None:
    await b.it.bye()
    assert b.session.told == [], "nothing was open"
    b.open()
    for over in (lambda: b.tell(ByeOver()), b.it.end):
        leaving = asyncio.ensure_future(b.it.bye())
        await b.parts.time.settle()
        assert not leaving.done()
        over()
        await leaving
    assert b.it.close_code == 4000
