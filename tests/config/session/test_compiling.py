"""What a valid session comes to."""

from __future__ import annotations

from typing import Any

import pytest

from tests.config.conftest import Loads
from wscli.config.plan import UpstreamPlan
from wscli.core.failures import Action, Verdict
from wscli.session.plan import HttpAction, RunAction, SendAction, SessionPlan
from wscli.templates import JsonTemplate
from wscli.templates.paths import JsonPath
from wscli.values import Rate

SCOPE = {
    "param": {"id": "7"},
    "with": {"topic": "news", "list": [1, 2]},
    "var": {"a": 1},
    "sub": {"ref": 5},
    "ref": {"int": 9},
    "sent": {"ref": 9},
    "token": {"t": "T"},
    "msg": {"a": {"b": 1}},
}


def upstream(loads: Loads, session: str, *, endpoint: str = "", channel: str = "") -> UpstreamPlan:
    text = (
        f"endpoints: {{api: {{url: ws://h, {endpoint} session: {{{session}}}}}}}\n"
        f"tokens: {{t: {{env: X}}}}\n"
        f"channels: {{'rooms/{{id}}': {{endpoint: api, with: {{topic: news}}, {channel}}}}}\n"
    )
    return loads(text).channels["rooms/{id}"].upstream


def session(loads: Loads, text: str) -> SessionPlan:
    found = upstream(loads, text).session
    assert found is not None
    return found


def sent(step: Any) -> Any:
    assert isinstance(step.action, SendAction)
    return step.action.message.render(SCOPE)


def test_without_a_session_there_is_none(loads: Loads) -> None:
    plan = loads("endpoints: {api: {url: ws://h}}\nchannels: {c: {endpoint: api}}\n").channels["c"].upstream
    assert (plan.session, plan.share, plan.most_channels) == (None, False, None)
    assert upstream(loads, "").session == SessionPlan()


@pytest.mark.parametrize(
    ("share", "expected"), [("true", (True, None)), ("false", (False, None)), ("{channels: 20}", (True, 20))]
)
def test_share_is_a_flag_or_so_many_channels(loads: Loads, share: str, expected: tuple[bool, int | None]) -> None:
    plan = upstream(loads, "", endpoint=f"share: {share},")
    assert (plan.share, plan.most_channels) == expected


def test_a_message_is_json_or_text_as_it_stands(loads: Loads) -> None:
    plan = session(
        loads,
        'hello: [{send: {n: 1, s: "1", t: true, x: null, id: "{ref.int}"}}, {send: "{with.topic} {token.t}"},'
        ' {send: 1.50}, {send: {binary: "a{var.a}"}}, {set: {a: 1}}]',
    )
    assert [sent(step) for step in plan.hello[:4]] == [
        {"n": 1, "s": "1", "t": True, "x": None, "id": 9},
        "news T",
        "1.50",
        "a1",
    ]
    assert [step.action.binary for step in plan.hello[:4] if isinstance(step.action, SendAction)] == [False] * 3 + [
        True
    ]
    assert [step.tokens for step in plan.hello] == [frozenset(), {"t"}, frozenset(), frozenset(), frozenset()]


def test_a_step_has_its_place_and_words_without_secrets(loads: Loads) -> None:
    text = (
        "hello: [{send: {type: login, token: s3cret}, expect: {type: welcome}}, {send: {op: 2}}, {send: s3cret},"
        " {send: 'PING x'}, {expect: [{match: {a: 1}}]}, {set: {a: 1}},"
        " {http: {get: 'https://h/a?key=s3cret'}}, {run: [sign, s3cret]}]"
    )
    plan = session(loads, text)
    assert [(step.place, step.shown, step.expected) for step in plan.hello] == [
        ("hello[0]", "send login", "{type: welcome}"),
        ("hello[1]", "send op 2", ""),
        ("hello[2]", "send s3cret", ""),  # one word alone may be a command
        ("hello[3]", "send PING", ""),
        ("hello[4]", "wait for {a: 1}", "{a: 1}"),
        ("hello[5]", "set variables", ""),
        ("hello[6]", "GET https://h/a", ""),
        ("hello[7]", "run sign", ""),
    ]


def test_answers_take_what_their_step_says(loads: Loads) -> None:
    (step, shape) = session(
        loads,
        "hello: [{expect: [{match: {a: 1}, set: {x: .a}, then: {retry: 60s}},"
        " {match: {b: 1}, drop: true, resumed: true}], drop: false, within: 5s,"
        " keep: {y: 'z{var.x}'}}, {expect: [a, '{any}']}]",
    ).hello
    one, two = step.expect
    assert [item.match.matches({"a": 1}, {}) for item in step.expect] == [True, False]
    assert [item.match.matches({"b": 1}, {}) for item in step.expect] == [False, True]
    assert (one.drop, two.drop, one.resumed, two.resumed) == (False, True, False, True)
    assert (one.then, two.then) == (Verdict(Action.RETRY, 60.0), None)
    assert (step.within, shape.within) == (5.0, 10.0)
    assert isinstance(one.set["x"], JsonPath)
    assert isinstance(step.keep["y"], JsonTemplate)
    assert shape.expect[0].match.matches(["a", 1, 2], {})


def test_the_last_steps_are_short(loads: Loads) -> None:
    plan = session(loads, "bye: [{send: a}, {expect: {a: 1}}, {expect: {a: 1}, within: 20s}]")
    assert [step.within for step in plan.bye] == [2.0, 2.0, 20.0]
    assert plan.bye_within == 24.0
    assert session(loads, "bye: [{expect: {a: 1}, within: 20s}, {expect: {a: 1}, within: 20s}]").bye_within == 30.0


def test_calls_and_commands(loads: Loads) -> None:
    call, command = session(
        loads,
        "before: [{http: {patch: 'https://h/{with.topic}', json: {a: '{var.a?1}'}, accept: [409]}, set: {a: .a}},"
        " {run: [./sign, '{var.a}'], stdin: {key: '{token.t}'}, set: {b: .b}}]",
    ).before
    assert isinstance(call.action, HttpAction)
    request = call.action.source.request(SCOPE, encoded=("with",))
    assert (request.method, request.url, request.body) == ("PATCH", "https://h/news", b'{"a":1}')
    assert call.action.accept == {409}
    assert isinstance(command.action, RunAction)
    program, argument = (word.render(SCOPE) for word in command.action.argv)
    assert program.startswith("/")
    assert program.endswith("/sign")
    assert argument == 1
    assert command.tokens == {"t"}


@pytest.mark.parametrize(
    ("rule", "per_channel"),
    [
        ("{match: {type: ping}, send: {pong: '{msg.a.b}'}}", False),
        ("{match: {type: ping}, send: {pong: '{with.topic}'}}", False),
        ("{match: {type: end, topic: '{with.topic}'}, drop: true}", True),
        ("{match: {type: end, room: 'r{param.id}'}, then: done}", True),
        ("{match: {id: '{sub.ref}'}, keep: {last: .n}}", True),
    ],
)
def test_a_rule_is_a_channels_where_its_match_names_one(loads: Loads, rule: str, per_channel: bool) -> None:
    plan = session(loads, f"subscribe: [{{send: '{{ref.int}}'}}], rules: [{rule}]")
    assert plan.rules[0].per_channel is per_channel


def test_what_a_channel_sets_is_not_the_connections(loads: Loads) -> None:
    assert session(
        loads,
        "subscribe: [{send: '{ref.int}', expect: {id: '{sent.ref}'}, set: {a: .a}}],"
        " rules: [{match: {id: '{sub.ref}'}, keep: {b: .b}}, {match: {x: '{sub.a}', y: '{sub.b}'}, drop: true}]",
    )


def test_timers(loads: Loads) -> None:
    one, two, three = session(
        loads,
        "hello: [{expect: {a: 1}, set: {beat: .b}}], subscribe: [{send: '{ref.int}'}],"
        " timers: [{every: '{var.beat}ms', first: random, do: [{send: ping, expect: pong}]},"
        " {idle_in: 60s, else: retry}, {idle_out: '{var.beat:+5}s', do: [{send: '{sub.ref}'}]}]",
    ).timers
    assert (one.kind, one.first_random, one.per_channel, one.otherwise) == ("every", True, False, None)
    assert one.duration.render({"var": {"beat": 41250}}) == "41250ms"
    assert (two.kind, two.otherwise, two.do) == ("idle_in", Verdict(Action.RETRY), ())
    assert (three.kind, three.per_channel, three.do[0].place) == ("idle_out", True, "timers[2].do[0]")


def test_routes_are_a_shape_or_alternatives(loads: Loads) -> None:
    assert [route.show for route in session(loads, "route: {topic: '{with.topic}'}").route] == [None]
    one, two = session(loads, "route: [{match: {a: 1}, show: '.a[]', order: .n}, {match: {b: 1}}]").route
    assert (str(one.show and one.show.source), one.order and one.order.source, two.show) == (".a[]", ".n", None)


def test_the_rest(loads: Loads) -> None:
    plan = session(
        loads,
        "hello: [{expect: {a: 1}, keep: {sid: .sid}}], show: .payload, order: .seq, outgoing: {m: '{msg}'},"
        " merge: {id: '{ref.int}'}, reply: {id: '{sent.ref}'}, limits: {send: 120/60s, subscribe: 5/s}, close: 4000,"
        ' resume: {needs: [sid], subscribe: kept, once: true}, frames: {split: "\\0", end: "\\0", send: binary,'
        " parse: ['(?P<op>[A-Z]+)'], stream: {until: \"\\r\\n\", body: 'MSG (?P<size>[0-9]+)'}}",
    )
    assert (plan.show and plan.show.source, plan.order and plan.order.source) == (".payload", ".seq")
    assert isinstance(plan.outgoing, JsonTemplate)
    assert plan.outgoing.render(SCOPE) == {"m": {"a": {"b": 1}}}
    assert (plan.limits.send, plan.limits.subscribe, plan.close) == (Rate(120, 60.0), Rate(5, 1.0), 4000)
    assert plan.resume is not None
    assert (plan.resume.needs, plan.resume.subscribe_kept, plan.resume.once) == (("sid",), True, True)
    assert (plan.frames.split, plan.frames.end, plan.frames.send) == ("\0", "\0", "binary")
    assert plan.frames.stream is not None
    assert plan.frames.stream.until == b"\r\n"
    assert session(loads, "outgoing: none").outgoing == "none"


@pytest.mark.parametrize(
    ("outgoing", "takes"), [("{m: '{msg}'}", False), ("{m: '{msg:base64}'}", True), ("['{msg.a:base64}']", False)]
)
def test_a_wrapper_takes_binary_messages_as_base64(loads: Loads, outgoing: str, takes: bool) -> None:
    assert session(loads, f"outgoing: {outgoing}").outgoing_takes_binary is takes


def test_values_are_json_with_parameters(loads: Loads) -> None:
    text = (
        "endpoints: {api: {url: ws://h}}\n"
        "channels: {'rooms/{id}': {endpoint: api, with: {a: 10, b: '10', c: [true, null], d: 'r{param.id}'}}}\n"
    )
    channel = loads(text).channels["rooms/{id}"]
    assert channel.values.render({"param": {"id": "7"}}) == {"a": 10, "b": "10", "c": [True, None], "d": "r7"}


def test_a_step_may_depend_on_a_token_source(loads: Loads) -> None:
    text = (
        "hello: [{when: {token.t: '{any}'}, send: '{token.t}'}, {when: {token.u: '{any}'}, send: '{token.u}'},"
        " {when: {token.u: '{absent}'}, send: 'anonymous {token.u?nobody}'}]"
    )
    one, two = session(loads, text).hello
    assert (one.place, one.tokens, two.place, two.tokens) == ("hello[0]", {"t"}, "hello[2]", frozenset())
    assert sent(two) == "anonymous nobody"
    dial = upstream(loads, "", endpoint="query: {a: '{token.u?}', b: '{token.t?}'},").dial
    assert dial.token_names == {"t"}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("{with.list?http://127.0.0.1:9222}/json", "{with.list}/json"),
        ("{with.list?http://127.0.0.1:9222}/json?id={var.a}", "{with.list}/json"),
        ("https://h/{with.topic:str?news}/x?key=1", "https://h/{with.topic}/x"),
        ("https://h:1/x?y={with.topic?news}", "https://h:1/x"),
    ],
)
def test_a_call_is_named_by_its_url_without_defaults_and_query(loads: Loads, url: str, shown: str) -> None:
    (step,) = session(loads, f'before: [{{http: {{get: "{url}"}}, set: {{a: .a}}}}]').before
    assert step.shown == f"GET {shown}"
