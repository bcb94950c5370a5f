"""Resumption: what is kept, when it is used, and what a later connection begins with."""

from __future__ import annotations

import gc
import weakref

from tests.session.declared import session
from tests.session.host import Channel, Host, Refs
from wscli.session import actions as a
from wscli.session.engine.memory import Memory
from wscli.session.plan import SessionPlan

TEXT = """
hello: [{send: login, expect: {ok: "{any}"}, keep: {sid: .sid, seq: .s}}]
resume:
  needs: [sid, seq]
  subscribe: kept
  hello: [{send: {resume: "{var.sid}", seq: "{var.seq}"}, expect: [{match: {resumed: true}}, {match: {}, then: fresh}]}]
subscribe: [{send: {sub: "{ref.int}", to: "{with.to?}"}, expect: {sub: "{sent.ref}"}, set: {tag: .tag}}]
unsubscribe: [{send: {unsub: "{sub.ref}", tag: "{sub.tag}"}}]
route: {tag: "{sub.tag}"}
rules: [{match: {s: "{any}"}, keep: {seq: .s}}]
close: 4000
"""
PLAN = session(TEXT)


def first(plan: SessionPlan = PLAN, *channels: Channel, **more: object) -> Host:
    host = Host(plan, shared=True, refs=Refs(), **more).join(*channels).dial()  # type: ignore[arg-type]
    return host.receive({"ok": 1, "sid": "S", "s": 10})


def again(host: Host, *channels: Channel, plan: SessionPlan = PLAN, ended: bool = True) -> Host:
    if ended:
        host.session.ended()
    return Host(plan, shared=True, memory=host.memory).join(*channels).dial()


def test_it_is_used_where_every_need_is_kept() -> None:
    assert first().session.resumable
    assert again(first()).sent == [{"resume": "S", "seq": 10}]
    assert Host(PLAN, memory=Memory({"sid": "S"})).dial().sent == ["login"]
    assert Host(PLAN, memory=Memory({"sid": "S", "seq": 1})).dial().sent == [{"resume": "S", "seq": 1}]


def test_subscribe_kept_skips_channels_that_were_ready_on_the_lost_connection() -> None:
    one, two = Channel("one", {"to": 1}), Channel("two")
    host = first(PLAN, one, two).receive({"sub": 1, "tag": "T"})
    assert host.ready == ["one"]
    later = again(host, one, two).receive({"resumed": True})
    assert later.ready == ["one"]
    assert later.sent[1:] == [{"sub": 1}]
    assert later.receive({"tag": "T"}).got == {"one": [{"tag": "T"}]}
    assert later.leave(one).sent[-1] == {"unsub": 1, "tag": "T"}


def test_a_successor_that_took_a_subscription_over_leaves_it_subscribed() -> None:
    one, two = Channel("one", {"to": 1}), Channel("two")
    old = first(PLAN, one, two).receive({"sub": 1, "tag": "T"}, {"sub": 2, "tag": "U"})
    new = again(old, one, ended=False).receive({"resumed": True})
    assert new.ready == ["one"]
    old.leave(one)
    assert old.sent[-1] == {"sub": 2}
    assert old.leave(two).sent[-1] == {"unsub": 2, "tag": "U"}


def test_a_channel_that_was_resumed_and_leaves_is_subscribed_as_it_comes_back() -> None:
    one = Channel("one")
    later = again(first(PLAN, one).receive({"sub": 1, "tag": "T"}), one).receive({"resumed": True})
    later.leave(one).join(one)
    assert later.sent[-1] == {"sub": 1}
    later.receive({"sub": 1, "tag": "U"})
    assert [ready.resumed for ready in later.of(a.SubscriptionReady)] == [True, False]


def test_a_channel_that_was_not_ready_before_has_no_part_in_a_resumption() -> None:
    one, two = Channel("one"), Channel("two")
    later = again(first(PLAN, one).receive({"sub": 1, "tag": "T"}), one, two).receive({"resumed": True})
    later.receive({"sub": 1, "tag": "U"})
    assert {ready.channel.name: ready.resumed for ready in later.of(a.SubscriptionReady)} == {"one": True, "two": False}


def test_an_item_of_subscribe_may_say_that_there_is_no_gap() -> None:
    plan = session("""
    subscribe:
      - send: {sub: "{ref.int}", since: "{sub.seq?0}"}
        expect: [{match: {recovered: true}, resumed: true}, {match: {recovered: false}}]
    """)
    host = Host(plan, shared=True).dial().join(Channel("a"), Channel("b"))
    host.receive({"recovered": True}, {"recovered": False})
    assert [ready.resumed for ready in host.of(a.SubscriptionReady)] == [True, False]


def test_without_steps_a_resumption_succeeds_at_the_upgrade() -> None:
    plan = session("hello: [{expect: {hi: 1}, keep: {sid: .sid}}]\nresume: {needs: [sid]}")
    host = Host(plan).dial().receive({"hi": 1, "sid": 5})
    later = again(host, plan=plan)
    assert [ready.resumed for ready in later.of(a.SessionReady)] == [False, True]


def test_once_forgets_what_was_kept_after_the_dials_templates_are_filled() -> None:
    plan = session("""
    hello: [{expect: {hi: 1}}]
    rules: [{match: {go: "{any}"}, keep: {url: .go}, then: replace}]
    resume: {needs: [url], hello: [{expect: {hi: "{var.url}"}}], once: true}
    """)
    channel = Channel("c")
    host = Host(plan).dial().receive({"hi": 1}).join(channel).receive({"go": "wss://new"})
    assert host.verdicts == [(None, "replace")]
    later = Host(plan, memory=host.memory)
    later.do(later.session.begin())
    assert later.session.variables() == {"url": "wss://new"}
    later.do(later.session.dialling())
    assert not later.session.resumable
    later.open().receive({"hi": "wss://new"})
    assert later.of(a.SessionReady)[-1].resumed
    assert host.memory.kept == {}
    assert Host(plan, memory=host.memory).dial().receive({"hi": 1}).of(a.SessionReady)[-1].resumed is False


def test_fresh_forgets_all_of_it() -> None:
    host = first()
    later = again(host).receive({"gone": 1})
    assert later.verdicts == [(None, "fresh")]
    later.memory.forget()
    assert again(later).sent == ["login"]


def test_an_attempt_that_fails_before_it_is_ready_changes_nothing() -> None:
    one = Channel("one")
    host = first(PLAN, one).receive({"sub": 1, "tag": "T"}, {"s": 11})
    failed = again(host, one)
    later = again(failed, one).receive({"resumed": True})
    assert later.sent == [{"resume": "S", "seq": 11}]
    assert [ready.resumed for ready in later.of(a.SubscriptionReady)] == [True]


def test_a_successors_values_replace_the_old_ones_at_the_swap() -> None:
    plan = session("""
    hello: [{send: login, expect: {sid: "{any}"}, set: {x: .sid}, keep: {sid: .sid}}]
    rules: [{match: {s: "{any}"}, keep: {sid: .s}}]
    """)
    old = Host(plan).dial().receive({"sid": "old"}).join(Channel("c"))
    new = Host(plan, memory=old.memory).dial()
    old.receive({"s": "older"})
    assert old.memory.kept == {"sid": "older"}
    new.receive({"sid": "new"})
    assert old.memory.kept == {"sid": "new"}
    old.receive({"s": "late"})
    assert old.memory.kept == {"sid": "new"}
    assert [one.kept for one in old.of(a.Deliver)] == [{"sub": {}, "var": {"sid": "older"}}, None]
    assert (old.session.variables()["x"], new.session.variables()["x"]) == ("old", "new")


def test_set_lives_for_the_connection_and_keep_outlives_it() -> None:
    plan = session("rules: [{match: {n: '{any}'}, set: {a: .n}, keep: {b: .n}}]")
    host = Host(plan).dial().receive({"n": 1})
    assert dict(host.session.variables()) == {"a": 1, "b": 1}
    assert dict(again(host, plan=plan).session.variables()) == {"b": 1}


def test_a_channels_kept_values_are_its_own() -> None:
    plan = session("""
    subscribe: [{send: {since: "{sub.seq?0}"}}]
    rules: [{match: {ch: "{with.ch}"}, keep: {seq: .s}}]
    """)
    one, two = Channel("a", {"ch": "a"}), Channel("b", {"ch": "b"})
    host = Host(plan, shared=True).dial().join(one, two).receive({"ch": "a", "s": 5})
    assert host.of(a.Deliver)[0].kept == {"sub": {"seq": 5}}
    assert again(host, one, two, plan=plan).sent == [{"since": 5}, {"since": 0}]


def test_our_closes_have_the_declared_code_where_resume_state_is_kept() -> None:
    host = Host(PLAN).dial()
    assert host.session.close_code == 1000
    assert host.receive({"ok": 1, "sid": "S", "s": 1}).session.close_code == 4000


def test_messages_that_were_held_as_the_connection_ended_are_a_gap() -> None:
    plan = session("""
    hello: [{send: login, expect: {sid: "{any}"}, keep: {sid: .sid}}]
    resume: {needs: [sid]}
    subscribe: [{send: sub, expect: {ok: 1}}]
    """)
    one = Channel("one")
    host = Host(plan).join(one).dial().receive({"sid": 1}, {"lost": 1})
    later = again(host, one, plan=plan).receive({"ok": 1})
    assert [ready.resumed for ready in later.of(a.SubscriptionReady)] == [False]
    last = again(later, one, plan=plan).receive({"ok": 1})
    assert [ready.resumed for ready in last.of(a.SubscriptionReady)] == [True]


def test_order_goes_on_where_it_was_resumed_and_starts_anew_elsewhere() -> None:
    plan = session(TEXT.replace("route: {tag", "order: .s\nroute: {tag"))
    one = Channel("one")
    host = first(plan, one).receive({"sub": 1, "tag": "T"}, {"s": 11})
    later = again(host, one, plan=plan).receive({"resumed": True, "s": 12}, {"s": 15})
    assert [gap.missed for gap in later.of(a.RecordGap)] == [2]
    later.memory.forget()
    fresh = again(later, one, plan=plan).receive({"ok": 1, "sid": "N", "s": 40})
    assert fresh.of(a.RecordGap) == []


def test_nothing_of_an_old_connection_is_left_in_memory() -> None:
    plan = session(TEXT + "\ntimers: [{every: '{sub.every?5s}', do: [{send: x}]}, {every: '{var.every?5s}'}]")
    one = Channel("one")
    host = first(plan, one).receive({"sub": 1, "tag": "T"})
    old = weakref.ref(host.session)
    for _ in range(2):
        host = again(host, one, plan=plan).receive({"resumed": True})
        assert host.ready == ["one"]
    gc.collect()
    assert old() is None
