"""Plans are compared by a reload: equal text gives equal plans, and each change of a session is seen."""

from __future__ import annotations

from dataclasses import fields

import pytest

from tests.config.conftest import Loads
from wscli.config.plan import ChannelPlan
from wscli.session.plan import SessionPlan

SESSION = {
    "before": "[{http: {get: 'https://h/', headers: {A: '{token.t}'}}, set: {a: .a}}, {run: [a, '{var.a}']}]",
    "hello": "[{send: {id: '{ref.int}'}, expect: [{match: {id: '{sent.ref}'}, set: {b: .b}, then: stop}], within: 5s}]",
    "subscribe": "[{when: {with.x: 1}, send: '{ref.str}', keep: {c: 1}}]",
    "unsubscribe": "[{send: '{sub.ref}'}]",
    "bye": "[{send: bye}]",
    "resume": "{needs: [r], hello: [{send: r}], once: true}",
    "rules": "[{match: {s: '{sub.ref}'}, do: [{send: '{msg.a}'}], drop: true}, {match: {r: 1}, keep: {r: .r}}]",
    "timers": "[{every: 25s, do: [{send: ping}]}]",
    "route": "[{match: {s: '{sub.ref}'}, show: '.a[]'}]",
    "show": ".a",
    "order": ".n",
    "outgoing": "{m: '{msg}'}",
    "merge": "{id: '{ref.int}'}",
    "reply": "{id: '{sent.ref}'}",
    "limits": "{send: 5/s}",
    "close": "4000",
    "frames": "{split: x, parse: ['(?P<op>[A-Z]+)'], stream: {until: y, body: '(?P<size>[0-9]+)'}}",
}
CHANGED = {
    "before": "[{http: {get: 'https://h/', headers: {A: 'x{token.t}'}}, set: {a: .a}}, {run: [a, '{var.a}']}]",
    "hello": "[{send: {id: '{ref.int}'}, expect: [{match: {id: '{sent.ref}'}, set: {b: .c}, then: stop}], within: 5s}]",
    "subscribe": "[{when: {with.x: 2}, send: '{ref.str}', keep: {c: 1}}]",
    "unsubscribe": "[{send: 'x{sub.ref}'}]",
    "bye": "[{send: by}]",
    "resume": "{needs: [r], hello: [{send: r}]}",
    "rules": "[{match: {s: '{sub.ref}'}, do: [{send: '{msg.b}'}], drop: true}, {match: {r: 1}, keep: {r: .r}}]",
    "timers": "[{every: 26s, do: [{send: ping}]}]",
    "route": "[{match: {s: '{sub.ref}'}, show: .a}]",
    "show": ".b",
    "order": ".m",
    "outgoing": "{m: '{msg.a}'}",
    "merge": "{id: '{ref.str}'}",
    "reply": "{ip: '{sent.ref}'}",
    "limits": "{send: 6/s}",
    "close": "4001",
    "frames": "{split: x, parse: ['(?P<op>[A-Z]+)'], stream: {until: y, body: '(?P<size>[0-9]*)'}}",
}


def channel(loads: Loads, session: dict[str, str], *, values: str = "{x: 1}") -> ChannelPlan:
    body = ", ".join(f"{key}: {value}" for key, value in session.items())
    text = f"endpoints: {{api: {{url: ws://h, session: {{{body}}}}}}}\ntokens: {{t: {{env: X}}}}\n"
    return loads(f"{text}channels: {{c: {{endpoint: api, with: {values}}}}}\n").channels["c"]


def test_the_same_text_gives_an_equal_plan(loads: Loads) -> None:
    assert channel(loads, SESSION) == channel(loads, SESSION)


def test_a_change_of_any_key_is_seen(loads: Loads) -> None:
    keys = {field.name for field in fields(SessionPlan)} - {"bye_within", "outgoing_takes_binary", "upstream_values"}
    assert keys == SESSION.keys() == CHANGED.keys()
    before = channel(loads, SESSION)
    for key, value in CHANGED.items():
        after = channel(loads, {**SESSION, key: value})
        assert after.upstream.session != before.upstream.session, key
        assert after.upstream.dial == before.upstream.dial


def test_a_change_of_values_is_the_channels_alone(loads: Loads) -> None:
    before, after = channel(loads, SESSION), channel(loads, SESSION, values="{x: 1, y: 2}")
    assert before.values != after.values
    assert before.upstream == after.upstream


@pytest.mark.parametrize(
    ("session", "alike"),
    [
        ("subscribe: [{send: '{with.a}'}]", True),
        ("route: {a: '{with.a}'}, outgoing: {a: '{with.a}'}", True),
        ("rules: [{match: {a: '{with.a}'}, drop: true}]", True),
        ("hello: [{send: '{with.a}'}]", False),
        ("hello: [{when: {with.a: 1}, send: hi}]", False),
        ("before: [{http: {get: 'https://h/{with.a}'}}]", False),
        ("rules: [{match: {type: ping}, send: '{with.a}'}]", False),
        ("resume: {needs: [r], hello: [{send: '{with.a}'}]}, hello: [{expect: {a: 1}, keep: {r: .r}}]", False),
    ],
)
def test_channels_share_where_the_connections_own_steps_are_alike(loads: Loads, session: str, alike: bool) -> None:
    text = f"endpoints: {{api: {{url: ws://h, share: true, session: {{{session}}}}}}}\n"
    text += "channels: {a: {endpoint: api, with: {a: 1}}, b: {endpoint: api, with: {a: 2}}}\n"
    one, two = (plan.upstream.key({}, plan.values.render({})) for plan in loads(text).channels.values())
    assert (one == two) is alike
