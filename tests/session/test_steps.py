"""Steps: what they send and call, what they wait for, and how they fail."""

from __future__ import annotations

import json

import pytest

from tests.session.declared import session
from tests.session.host import Channel, Host
from wscli.core.failures import Failure, FailureKind
from wscli.session import actions as a


def opened(text: str, **more: object) -> Host:
    return Host(session(text), **more).dial()  # type: ignore[arg-type]


def is_ready(host: Host) -> bool:
    return len(host.of(a.SessionReady)) == 2


def test_without_steps_the_session_is_ready_at_once() -> None:
    assert is_ready(opened(""))


def test_a_text_is_sent_as_it_stands_and_a_mapping_as_compact_json() -> None:
    host = Host(session('hello: [{send: "a  b"}, {send: {a: [1, true, null, "1"]}}, {send: {binary: "x"}}]'))
    out = []
    let_out = host.session.let_out
    host.session.let_out = lambda message: out.append(let_out(message)) or out[-1]  # type: ignore[method-assign]
    host.dial()
    assert [(one.payload, one.binary) for one in out] == [
        (b"a  b", False),
        (b'{"a":[1,true,null,"1"]}', False),
        (b"x", True),
    ]


def test_a_step_with_only_set_waits_for_nothing() -> None:
    host = opened('hello: [{set: {x: "{with.a}-1"}}, {send: "{var.x}"}]', scope={"with": {"a": "b"}})
    assert host.sent == ["b-1"]
    assert is_ready(host)


def test_a_step_is_skipped_where_a_variable_does_not_fit() -> None:
    text = """
    hello:
      - {when: {with.private: true}, send: a}
      - {when: {with.private: "{absent}"}, send: b}
      - {when: {var.kernel: "{absent}"}, send: c}
    """
    assert opened(text, scope={"with": {"private": True}}).sent == ["a", "c"]
    assert opened(text).sent == ["b", "c"]


def test_the_first_alternative_that_fits_counts() -> None:
    host = opened("hello: [{expect: [{match: {a: 1}, set: {x: .b}}, {match: {b: 2}, then: stop}]}]")
    host.receive({"a": 1, "b": 2})
    assert host.session.variables()["x"] == 2
    assert is_ready(host)
    assert opened("hello: [{expect: [{match: {a: 1}}, {match: {b: 2}, then: stop}]}]").receive({"b": 2}).verdicts == [
        (None, "stop")
    ]


def test_an_unmet_expect_is_a_failure_of_its_moment_that_names_the_step() -> None:
    host = opened("hello: [{send: {type: init}, expect: {type: ack}, within: 3s}]").receive({"type": "other"})
    host.advance(2.9)
    assert host.verdicts == []
    host.advance(0.2)
    (judged,) = host.of(a.JudgeUpstream)
    assert judged.verdict is None
    assert judged.failure == Failure(
        FailureKind.SESSION, "hello[0] (send): no answer within 3s, expected {type: ack}", moment="hello"
    )


def test_two_awaited_frames_of_one_read_are_both_seen() -> None:
    host = opened("hello: [{expect: {n: 1}}, {send: a, expect: {n: 2}}, {expect: {n: 3}}]")
    host.receive({"n": 1}, {"n": 2}, {"n": 3})
    assert is_ready(host)
    assert host.sent == ["a"]


def test_the_second_is_seen_while_a_token_is_asked_for() -> None:
    host = opened("hello: [{expect: {n: 1}}, {send: {token: '{token.api}'}, expect: {n: 2}}]")
    host.receive({"n": 1}, {"n": 2})
    assert is_ready(host)
    assert host.sent == [{"token": "TOKEN"}]


def test_a_step_awaits_from_before_its_own_send_is_written() -> None:
    host = Host(session("hello: [{send: {a: 1}, expect: {b: 1}}]"))
    host.blocked = True
    host.dial().receive({"b": 1})
    assert is_ready(host)
    host.blocked = False
    host.flush()
    assert host.sent == [{"a": 1}]


def test_the_time_for_an_answer_begins_as_the_message_is_let_out() -> None:
    host = Host(session("hello: [{send: {a: 1}, expect: {b: 1}}]"))
    host.blocked = True
    host.dial().advance(60)
    assert host.verdicts == []
    host.blocked = False
    host.flush()
    host.advance(10)
    assert host.verdicts == [(None, None)]


HTTP = "- {http: {post: https://api.example.com/x, json: {a: '{var.x?1}'}}, set: {id: .id}}"


def test_a_bare_wait_after_a_call_awaits_from_when_that_began() -> None:
    host = opened(f"hello:\n  {HTTP}\n  - {{expect: {{type: confirmed}}}}")
    host.receive({"type": "confirmed"}).answer({"id": 7})
    assert is_ready(host)
    assert host.session.variables()["id"] == 7


def test_a_bare_wait_may_name_what_the_call_before_it_gave() -> None:
    host = opened(f"hello:\n  {HTTP}\n  - {{expect: {{confirmed: '{{var.id}}'}}}}")
    host.receive({"confirmed": 6}, {"confirmed": 7}).answer({"id": 7})
    assert is_ready(host)


def test_a_call_is_filled_and_its_json_answer_is_what_expect_and_set_see() -> None:
    host = Host(
        session("""
        before:
          - http: {post: "https://api.example.com/{with.room}", json: {key: "{token.api}"}, accept: [409]}
            expect: [{match: {ok: true}, set: {url: .url}}, {match: {ok: false}, then: stop}]
        """),
        scope={"with": {"room": "a/b"}},
    )
    host.do(host.session.begin())
    (call,) = host.calls
    assert isinstance(call.what, a.Fetch)
    assert call.what.request.url == "https://api.example.com/a%2Fb"
    assert call.what.request.body == b'{"key":"TOKEN"}'
    assert call.what.accept == {409}
    assert (call.within, call.channel) == (10, None)
    host.answer({"ok": True, "url": "wss://x"})
    assert host.session.variables() == {"url": "wss://x"}


def test_an_answer_that_fits_no_alternative_is_a_failure() -> None:
    host = Host(session("before: [{http: {get: https://api.example.com}, expect: {ok: true}}]"))
    host.do(host.session.begin())
    host.answer({"ok": False})
    assert host.verdicts == [(None, None)]
    assert host.failure == "before[0] (http): unexpected answer; expected {ok: 'true'}"


def failed(status: int, body: object) -> Host:
    host = Host(
        session("""
        before:
          - http: {get: https://api.example.com}
            expect: [{match: {ok: true}}, {match: {error: gone}, then: stop}]
        """)
    )
    host.do(host.session.begin())
    failure = Failure(FailureKind.STATUS, f"HTTP {status}", code=status, retry_after=7.0)
    return host.answer(a.CallFailed(failure, json.dumps(body).encode()))


def test_another_status_meets_the_verdicts_of_an_upgrade_but_then_goes_first() -> None:
    plain = failed(503, {})
    assert plain.verdicts == [(None, None)]
    (judged,) = plain.of(a.JudgeUpstream)
    assert (judged.failure.kind, judged.failure.code, judged.failure.retry_after) == (FailureKind.STATUS, 503, 7.0)
    assert (judged.failure.moment, judged.failure.text) == ("before", "before[0] (http): HTTP 503")
    assert failed(410, {"error": "gone"}).verdicts == [(None, "stop")]


def test_a_command_gets_filled_arguments_and_its_answer_is_json() -> None:
    host = Host(
        session("""
        before: [{run: [./sign, "{with.key}", "7"], stdin: {nonce: "{var.n?0}"}, set: {signature: .sig}}]
        """),
        scope={"with": {"key": "k"}},
    )
    host.do(host.session.begin())
    (call,) = host.calls
    assert call.what == a.CommandCall(("./sign", "k", "7"), '{"nonce":0}')
    host.answer({"sig": "S"})
    assert host.session.variables() == {"signature": "S"}


def test_tokens_are_asked_for_as_the_step_runs() -> None:
    text = "hello: [{expect: {n: 1}}, {send: '{token.api}'}]"
    host = opened(text)
    assert host.of(a.Call) == []
    host.receive({"n": 1})
    (call,) = host.of(a.Call)
    assert call.what == a.AskTokens(frozenset({"api"}))


def test_what_a_step_awaits_is_consumed_and_of_the_rules_only_set_and_keep_see_it() -> None:
    channel = Channel("c")
    host = opened("""
    hello: [{expect: {n: 1}}]
    rules: [{match: {n: "{any}"}, set: {s: .n}, keep: {k: .n}, send: answer, then: stop, do: [{send: done}]}]
    """)
    host.join(channel).receive({"n": 1})
    assert host.session.variables() == {"s": 1, "k": 1}
    assert (host.sent, host.verdicts, host.got) == ([], [], {})


@pytest.mark.parametrize("where", ["drop: false", "expect: [{match: {n: 1}, drop: false}]"])
def test_with_drop_false_it_flows_on_like_any_message(where: str) -> None:
    expect = where if where.startswith("expect") else "expect: {n: 1}, drop: false"
    host = opened(f"hello: [{{{expect}}}]\nrules: [{{match: {{n: 1}}, send: seen}}]").join(Channel("c"))
    host.receive({"n": 1})
    assert host.sent == ["seen"]
    assert host.got == {"c": [{"n": 1}]}


def test_what_waits_is_named_without_secrets() -> None:
    host = opened("hello: [{send: {token: '{token.api}'}, expect: {type: ack}}]")
    assert [one.text for one in host.of(a.StepWaits)] == [
        "hello[0]: waiting for the token 'api'",
        "hello[0]: waiting to send",
        "hello[0]: waiting for {type: ack}",
    ]


def test_each_step_is_told_of_with_its_time_and_a_short_answer() -> None:
    host = opened("hello: [{send: a, expect: {type: ack}}, {expect: {type: b}}]")
    host.advance(2).receive({"type": "ack", "text": "word " * 200}).advance(10)
    first, second = host.of(a.Stepped)
    assert (first.place, first.shown, first.seconds, first.ok) == ("hello[0]", "send", 2.0, True)
    assert len(first.answer) <= 203
    assert first.answer.endswith("word ...")
    assert (second.place, second.ok, second.answer) == (
        "hello[1]",
        False,
        "hello[1] (wait): no answer within 10s, expected {type: b}",
    )


def test_a_shortened_answer_ends_before_a_word_that_would_be_cut() -> None:
    host = opened("hello: [{expect: {type: ack}}]").receive({"type": "ack", "x": "-" * 150, "token": "SECRET" * 20})
    assert "SECRET" not in host.of(a.Stepped)[0].answer


def test_a_message_that_cannot_be_filled_is_a_failure_that_names_the_placeholder() -> None:
    host = opened("hello: [{send: {a: '{var.x}'}}]")
    assert host.failure == "hello[0] (send): '{var.x}' has no value"


def test_a_message_that_was_not_written_is_a_failure() -> None:
    host = Host(session("hello: [{send: a, expect: b}]"))
    host.blocked = True
    host.dial()
    host.do(host.session.not_sent(host.waiting.pop()))
    assert host.failure == "hello[0] (send): the message was not sent"


def test_bye_runs_before_a_last_close_while_messages_flow_on() -> None:
    channel = Channel("c")
    host = opened("bye: [{send: {type: bye}, expect: {type: over}}]").join(channel)
    host.do(host.session.bye())
    assert host.sent == [{"type": "bye"}]
    host.receive({"n": 1}, {"type": "over"})
    assert host.got == {"c": [{"n": 1}]}
    assert len(host.of(a.ByeOver)) == 1
    host.advance(10)
    assert len(host.of(a.ByeOver)) == 1


def test_bye_is_over_after_its_time() -> None:
    host = opened("bye: [{send: bye, expect: {type: over}}]")
    host.do(host.session.bye())
    host.advance(2)
    assert len(host.of(a.ByeOver)) == 1
    host.advance(10)
    assert (host.verdicts, len(host.of(a.ByeOver))) == ([], 1)


def test_without_bye_it_is_over_at_once() -> None:
    host = opened("")
    host.do(host.session.bye())
    assert len(host.of(a.ByeOver)) == 1


def test_times_and_numbers_of_another_connection_change_nothing() -> None:
    host = opened("hello: [{expect: {n: 1}}]")
    for number in (0, 99):
        assert host.session.due(number) == []
        assert host.session.answered(number, b"{}") == []
        assert host.session.logged(number) == []
