"""No text of a session shows the value of a token, of ``with`` or of a variable.

What a server sent is quoted; ``AttemptRecord`` hides the secrets in it (tests/daemon/upstream/session/test_runner.py).
"""

from __future__ import annotations

import pytest

from tests.session.declared import session
from tests.session.host import Channel, Host
from wscli.errors import NotSent
from wscli.session import actions as a

SECRET = "s3cr3t"
FAILING = {
    "no answer": "hello: [{send: {auth: '{token.api}', k: '{with.k}'}, expect: {ok: '{with.k}'}}]",
    "a refusal": "hello: [{send: '{token.api}', expect: [{match: {n: 1}, then: stop}]}]",
    "a filter": "hello: [{send: '{token.api:int}'}]",
    "a filter of with": "hello: [{send: {a: '{with.k:int}'}}]",
    "a captured value": "hello: [{expect: {n: 1}, set: {x: '{with.k:int}'}}]",
    "a path": "hello: [{expect: {n: 1}, keep: {x: .y}}]",
    "a rule": "rules: [{match: {n: 1}, set: {x: '{with.k:int}'}, send: '{with.k:ms}', then: stop}]",
    "a rule's steps": "rules: [{match: {n: 1}, do: [{send: '{token.api}', expect: {ok: '{with.k}'}}]}]",
    "an interval": "timers: [{every: '{with.k}', do: [{send: x}]}]",
    "an interval in ms": "timers: [{every: '{with.k}ms'}]",
    "a timer": "timers: [{every: 1s, do: [{send: '{with.k}', expect: {ok: '{with.k}'}}]}]",
    "a call": "hello: [{http: {get: 'https://x/{with.k}', headers: {A: '{token.api}'}}, expect: {ok: '{with.k}'}}]",
    "a command": "hello: [{run: [x, '{with.k}', '{token.api}'], expect: {ok: 1}}]",
    "a subscription": "subscribe: [{send: {s: '{with.k}'}, expect: {ok: '{with.k}'}}]",
}


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("text", FAILING.values(), ids=FAILING)
def test_a_failure_names_what_failed_and_shows_no_value(text: str, shared: bool) -> None:
    values = {"k": SECRET}
    host = Host(session(text), shared=shared, scope={"with": values}, tokens={"api": SECRET})
    host.dial().join(Channel("c", values)).receive({"n": 1})
    while host.calls:
        host.answer({"no": SECRET})
    host.advance(30)
    assert host.verdicts != []
    texts = [one.failure.text for one in host.actions if isinstance(one, (a.JudgeUpstream, a.JudgeChannel))]
    texts += [one.text for one in host.of(a.StepWaits)]
    texts += [one.answer for one in host.of(a.Stepped) if "(" in one.answer]
    assert [text for text in texts if SECRET in text] == []
    assert SECRET not in repr([call.what for call in host.of(a.Call)])


def test_a_refused_send_shows_no_value() -> None:
    channel = Channel("c", {"k": SECRET})
    host = Host(session("outgoing: {a: '{with.k:int}', b: '{msg.x}'}")).dial().join(channel)
    with pytest.raises(NotSent) as refused:
        host.send(channel, {"y": SECRET})
    assert SECRET not in refused.value.message
