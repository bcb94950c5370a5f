"""What a session sets and keeps: bounded, and a clear failure where a value is missing."""

from __future__ import annotations

import pytest

from tests.session.declared import session
from tests.session.host import Channel, Host


def opened(text: str) -> Host:
    return Host(session(text)).dial().join(Channel("c"))


def test_a_value_is_a_path_or_a_template() -> None:
    host = opened("rules: [{match: {a: '{any}'}, set: {p: .a.b, t: '{msg.a.b}-{now.s}', w: '{msg.a}', n: null}}]")
    host.receive({"a": {"b": 7}})
    variables = dict(host.session.variables())
    assert variables.pop("t") == f"7-{int(host.time.wall())}"
    assert variables == {"p": 7, "w": {"b": 7}, "n": None}


@pytest.mark.parametrize("part", ["set", "keep"])
def test_a_captured_value_that_is_missing_is_a_clear_failure(part: str) -> None:
    rule = opened(f"rules: [{{match: {{a: 1}}, {part}: {{seq: .s.t}}}}]").receive({"a": 1, "token": "SECRET"})
    assert rule.failure == "rules[0]: cannot set 'seq': there is nothing at .s.t"
    assert rule.verdicts == [(None, None)]
    step = opened(f"hello: [{{expect: {{a: 1}}, {part}: {{seq: .s}}}}]").receive({"a": 1})
    assert step.failure == "hello[0] (wait): cannot set 'seq': there is nothing at .s"
    page = opened(f"hello: [{{expect: '{{any}}', {part}: {{seq: .s}}}}]").receive("<html>")
    assert page.failure == "hello[0] (wait): cannot set 'seq': there is nothing at .s; the answer is not JSON"
    template = opened(f"hello: [{{expect: {{a: 1}}, {part}: {{seq: '{{msg.s:int}}'}}}}]").receive(
        {"a": 1, "s": "SECRET"}
    )
    assert template.failure == "hello[0] (wait): cannot set 'seq': the value of '{msg.s:int}' does not fit its filter"


def test_null_is_a_value() -> None:
    assert opened("hello: [{expect: {a: 1}, set: {x: .x}}]").receive({"a": 1, "x": None}).verdicts == []


@pytest.mark.parametrize("value", ["x" * 70_000, list(range(100_000)), {str(key): key for key in range(100_000)}])
def test_a_hundred_thousand_kept_values_are_a_clear_failure(value: object) -> None:
    host = opened("rules: [{match: {a: '{any}'}, keep: {x: .a}}]").receive({"a": value})
    assert host.failure == "rules[0]: cannot set 'x': the value is larger than 64KiB"
    assert dict(host.memory.kept) == {}


def test_a_thousand_names_are_the_most() -> None:
    names = ", ".join(f"n{number}: .a" for number in range(1001))
    host = opened(f"rules: [{{match: {{a: 1}}, keep: {{{names}}}}}]").receive({"a": 1})
    assert host.failure == "rules[0]: cannot set 'n1000': over 1000 values are set or kept"


def test_a_timers_do_sets_a_variable_of_the_upstream_and_subscribe_one_of_the_channel() -> None:
    host = opened("""
    subscribe: [{send: {q: 1}, expect: {id: "{any}"}, set: {id: .id}}]
    timers: [{every: 5s, do: [{send: {of: "{var.n?0}"}, expect: {n: "{any}"}, set: {n: .n}}]}]
    rules: [{match: {tell: "{sub.id}"}, send: {tell: "{sub.id}"}}]
    """)
    host.receive({"id": "x"}).advance(5).receive({"n": 4}).advance(5)
    assert host.sent == [{"q": 1}, {"of": 0}, {"of": 4}]
    assert host.receive({"tell": "x"}).sent[-1] == {"tell": "x"}
