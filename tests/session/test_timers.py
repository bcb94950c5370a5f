"""Timers: heartbeats, watchdogs and renewals."""

from __future__ import annotations

from random import Random

import pytest

from tests.session.declared import session
from tests.session.host import Channel, Host
from wscli.session import actions as a


def opened(text: str, **more: object) -> Host:
    return Host(session(text), **more).dial()  # type: ignore[arg-type]


def test_every_runs_its_steps_from_the_end_of_hello() -> None:
    host = opened("hello: [{expect: {hi: 1}}]\ntimers: [{every: 5s, do: [{send: beat}]}]")
    host.advance(9)
    assert host.sent == []
    host.receive({"hi": 1}).advance(15)
    assert host.sent == ["beat"] * 3


def test_one_with_a_variable_begins_as_it_is_set_and_anew_with_another_value() -> None:
    host = opened("""
    hello: [{expect: {op: 10}, set: {beat: .beat}}, {expect: {hi: 1}, within: 1m}]
    rules: [{match: {beat: "{any}"}, set: {beat: .beat}}]
    timers: [{every: "{var.beat}ms", do: [{send: beat}]}]
    """)
    host.receive({"op": 10, "beat": 2000}).advance(4)
    assert host.sent == ["beat"] * 2
    host.receive({"hi": 1}, {"beat": 3000}).advance(2.5)
    assert len(host.sent) == 2
    host.receive({"beat": 3000}).advance(0.5)
    assert len(host.sent) == 3
    host.receive({"beat": 0}).advance(60)
    assert len(host.sent) == 3


def test_the_first_wait_may_be_multiplied_by_a_random_number() -> None:
    host = opened("timers: [{every: 10s, first: random, do: [{send: beat}]}]")
    first = host.of(a.SetTimer)[0].delay
    assert 0 < first < 10
    host.advance(first)
    assert host.sent == ["beat"]
    host.advance(10)
    assert host.sent == ["beat"] * 2


def test_idle_in_runs_where_nothing_is_received() -> None:
    host = opened("timers: [{idle_in: 10s, do: [{send: ping, expect: {pong: 1}, within: 3s}]}]").join(Channel("c"))
    host.advance(6).receive({"n": 1}).advance(9.9)
    assert host.sent == []
    host.advance(0.1)
    assert host.sent == ["ping"]
    host.receive({"pong": 1}).advance(9.9)
    assert host.sent == ["ping"]
    host.advance(3.1)
    assert host.verdicts == [(None, "reconnect")]


def test_without_steps_else_is_the_verdict() -> None:
    host = opened("timers: [{idle_in: 6s, else: retry}]").advance(6)
    assert host.verdicts == [(None, "retry")]
    assert host.failure == "timers[0]: nothing received for 6s"
    assert host.of(a.JudgeUpstream)[0].failure.moment == "timer"


def test_idle_out_runs_where_no_message_is_sent() -> None:
    channel = Channel("c")
    host = opened("timers: [{idle_out: 10s, do: [{send: beat}]}]").join(channel)
    host.advance(6)
    host.send(channel, {"a": 1})
    host.receive({"n": 1}).advance(9)
    assert host.sent == [{"a": 1}]
    host.advance(1)
    assert host.sent == [{"a": 1}, "beat"]
    host.advance(10)
    assert host.sent == [{"a": 1}, "beat", "beat"]


def test_the_one_before_is_finished_first() -> None:
    host = opened("timers: [{every: 2s, do: [{send: beat, expect: {ok: 1}, within: 7s}]}]").advance(6)
    assert host.sent == ["beat"]
    host.receive({"ok": 1}).advance(2)
    assert host.sent == ["beat"] * 2


def test_an_alternative_of_its_step_may_say_what_then() -> None:
    host = opened("timers: [{every: 2s, do: [{send: b, expect: [{match: {no: 1}, then: stop}]}], else: retry}]")
    host.advance(2).receive({"no": 1})
    assert host.verdicts == [(None, "stop")]


def test_time_while_reading_is_held_does_not_count() -> None:
    host = opened("timers: [{idle_in: 10s}, {every: 4s, do: [{send: ping, expect: {pong: 1}, within: 5s}]}]")
    host.advance(4)
    host.session.hold(True)
    host.advance(100)
    assert host.verdicts == []
    host.session.hold(False)
    host.receive({"pong": 1}).advance(5)
    assert host.verdicts == []
    host.advance(10)
    assert host.verdicts != []


def test_but_what_is_sent_is_sent_while_reading_is_held() -> None:
    host = opened("timers: [{every: 4s, do: [{send: beat}]}, {idle_out: 3s, do: [{send: idle}]}]")
    host.session.hold(True)
    host.advance(7.5)
    assert host.sent == ["idle", "beat", "idle"]


def test_a_renewal_may_ask_for_a_token() -> None:
    host = opened("timers: [{every: 1h, do: [{send: {auth: '{token.api}'}}]}]").advance(3600)
    assert host.sent == [{"auth": "TOKEN"}]


PER_CHANNEL = """
subscribe: [{send: {sub: "{ref.int}"}, expect: {ok: "{sent.ref}"}, set: {every: .every}}]
timers: [{every: "{sub.every}ms", do: [{send: {keep: "{sub.ref}"}, expect: {kept: "{sent.ref}"}, within: 1s}]}]
route: {sub: "{sub.ref}"}
"""


def test_one_that_names_sub_runs_per_channel_and_ends_with_it() -> None:
    one, two = Channel("one"), Channel("two")
    host = opened(PER_CHANNEL, shared=True).join(one, two)
    host.receive({"ok": 1, "every": 3000}, {"ok": 2, "every": 5000}).advance(3)
    assert host.sent[2:] == [{"keep": 1}]
    host.advance(1)
    assert host.verdicts == [("one", "reconnect")]
    host.advance(1)
    assert host.sent[3:] == [{"keep": 2}]
    host.leave(two).advance(20)
    assert host.sent[4:] == []


def test_idle_in_of_a_channel_counts_its_own_messages() -> None:
    text = """
    route: {ch: "{with.ch}"}
    timers: [{idle_in: "{with.idle}", else: reconnect}]
    """
    one, two = Channel("one", {"ch": 1, "idle": "5s"}), Channel("two", {"ch": 2, "idle": "5s"})
    host = opened(text, shared=True).join(one, two)
    host.advance(4).receive({"ch": 1}).advance(1)
    assert host.verdicts == [("two", "reconnect")]


@pytest.mark.parametrize("interval", [0, None, "", "0"])
def test_an_interval_of_nothing_is_off(interval: object) -> None:
    host = opened("hello: [{expect: {a: 1}, set: {i: .i}}]\ntimers: [{every: '{var.i}ms', do: [{send: beat}]}]")
    host.receive({"a": 1, "i": interval}).advance(3600)
    assert (host.sent, host.verdicts) == ([], [])


@pytest.mark.parametrize("interval", [-5, "soon", 1e300, float("nan"), [1], {"a": 1}, True, "9" * 400])
def test_an_interval_that_is_none_is_a_clear_failure(interval: object) -> None:
    host = opened("hello: [{expect: {a: 1}, set: {i: .i}}]\ntimers: [{every: '{var.i}ms', do: [{send: beat}]}]")
    host.receive({"a": 1, "i": interval}).advance(3600)
    assert host.sent == []
    assert host.verdicts == [(None, None)]
    assert host.failure.startswith("timers[0]: invalid interval")
    assert host.failure.endswith("it must be a positive number with its unit")
    assert "soon" not in host.failure  # what a server gives may be secret, but for numbers


@pytest.mark.parametrize(("interval", "most"), [(1, 1001), (0.001, 1001), (365 * 86400 * 1000, 0)])
def test_an_interval_of_a_millisecond_or_a_year_is_bounded(interval: float, most: int) -> None:
    host = opened("hello: [{expect: {a: 1}, set: {i: .i}}]\ntimers: [{every: '{var.i}ms', do: [{send: beat}]}]")
    host.receive({"a": 1, "i": interval}).advance(10)
    assert len(host.sent) <= most
    assert all(one.delay is None or 0.01 <= one.delay <= 86400 for one in host.of(a.SetTimer))


def test_a_year_is_waited_for_day_by_day() -> None:
    host = opened("timers: [{every: 365d, do: [{send: beat}]}]").advance(365 * 86400)
    assert host.sent == ["beat"]


def test_a_timer_without_a_value_for_its_variable_is_off_and_has_its_default() -> None:
    assert opened("timers: [{every: '{var.x}ms', do: [{send: beat}]}]").advance(3600).sent == []
    assert opened("timers: [{every: '{var.x?2000}ms', do: [{send: beat}]}]").advance(2).sent == ["beat"]


def test_rounding_never_makes_a_busy_loop() -> None:
    chance = Random(3)
    plan = session(
        "timers: [{idle_out: 5s, do: [{send: x}]}, {idle_in: 3.3s, do: [{send: y}]}]\nlimits: {send: 3/1.1s}"
    )
    for _ in range(200):
        channel = Channel("c")
        host = Host(plan).dial().join(channel)
        for _ in range(10):
            host.advance(chance.choice([0.1, 3.0, 11.0, 1 / 3, chance.random() * 7]))
            if chance.random() < 0.5:
                host.receive({"n": 1})
            if chance.random() < 0.3:
                host.send(channel, {"n": 1})
        assert len(host.actions) < 1000
