"""Messages that leave: wrapped, merged, numbered, paced; and their replies."""

from __future__ import annotations

import pytest

from tests.session.declared import session
from tests.session.host import Channel, Host
from wscli.errors import NotSent
from wscli.session import actions as a
from wscli.session.plan import SessionPlan


def ready(text: str, **more: object) -> tuple[Host, Channel]:
    channel = Channel("c", {"topic": "t"})
    plan = text if isinstance(text, SessionPlan) else session(text)
    return Host(plan, **more).dial().join(channel), channel  # type: ignore[arg-type]


def test_without_outgoing_a_message_is_sent_as_it_stands() -> None:
    host, channel = ready("")
    out = host.session.let_out(host.session.wrap(channel, b'{"a":  1}', binary=False))
    assert (out.payload, out.binary) == (b'{"a":  1}', False)


def test_outgoing_wraps_a_message_whole_or_in_parts() -> None:
    host, channel = ready('outgoing: {topic: "{with.topic}", body: "{msg}", id: "{msg.id?none}"}')
    host.send(channel, {"id": 7})
    host.send(channel, b"plain text")
    assert host.sent == [
        {"topic": "t", "body": {"id": 7}, "id": 7},
        {"topic": "t", "body": "plain text", "id": "none"},
    ]


def test_a_part_that_is_missing_is_not_sent() -> None:
    host, channel = ready('outgoing: {id: "{msg.id}"}')
    with pytest.raises(NotSent, match=r"\{msg\.id\}' has no value"):
        host.send(channel, {"x": "SECRET"})
    assert host.sent == []


def test_outgoing_none_refuses_sends() -> None:
    host, channel = ready("outgoing: none")
    with pytest.raises(NotSent, match="outgoing: none"):
        host.send(channel, {})


def test_binary_passes_unwrapped_unless_it_is_taken_as_base64() -> None:
    host, channel = ready('outgoing: {body: "{msg}"}\nmerge: {a: 1}')
    out = host.session.let_out(host.session.wrap(channel, b"\x00\xff", binary=True))
    assert (out.payload, out.binary) == (b"\x00\xff", True)
    host, channel = ready(session('outgoing: {body: "{msg:base64}"}', outgoing_takes_binary=True))  # type: ignore[arg-type]
    host.send(channel, b"\x00\xff", binary=True)
    assert host.sent == [{"body": "AP8="}]


def test_merge_is_added_to_each_object_and_replaces_what_was_there() -> None:
    host, channel = ready('merge: {id: "{ref.int}", topic: "{with.topic}"}')
    host.send(channel, {"id": 99, "a": 1})
    assert host.sent == [{"id": 1, "a": 1, "topic": "t"}]
    with pytest.raises(NotSent, match="must be a JSON object"):
        host.send(channel, [1])
    with pytest.raises(NotSent, match="must be a JSON object"):
        host.send(channel, b"text")


def test_references_are_drawn_as_a_message_is_let_out_from_one_counter() -> None:
    host, channel = ready('hello: []\nmerge: {id: "{ref.int}"}\nrules: [{match: {n: 1}, send: {r: "{ref.int}"}}]')
    host.blocked = True
    host.send(channel, {"a": 1})
    host.receive({"n": 1})
    host.blocked = False
    host.flush()
    assert host.sent == [{"r": 1}, {"a": 1, "id": 2}]  # the session's own goes first


def test_a_reference_is_the_same_within_a_message() -> None:
    host, _ = ready('subscribe: [{send: {a: "{ref.str}", b: "x-{ref.str}"}}]')
    assert host.sent == [{"a": "1", "b": "x-1"}]


def test_one_that_a_program_drew_is_not_drawn_again() -> None:
    host, channel = ready('merge: {id: "{ref.int}"}')
    assert host.send(channel, {"a": 1}, ref=41).ref == 41
    assert host.sent == [{"a": 1, "id": 41}]


REPLY = 'merge: {id: "{ref.int}"}\nreply: {id: "{sent.ref}", type: result}'


def test_a_reply_is_found_by_its_reference_and_flows_on() -> None:
    host, channel = ready(REPLY)
    one, two = (host.send(channel, {"n": number}, reply="wanted") for number in (1, 2))
    host.receive({"id": 2, "type": "result"}, {"id": 1, "type": "other"}, {"id": "1", "type": "result"})
    assert [reply.message for reply in host.of(a.Reply)] == [two]
    host.receive({"id": 1, "type": "result"}, {"id": 1, "type": "result"})
    assert [reply.message for reply in host.of(a.Reply)] == [two, one]
    assert host.of(a.Reply)[0].payload == b'{"id": 2, "type": "result"}'
    assert len(host.got["c"]) == 5


def test_a_reply_is_seen_before_drop() -> None:
    host, channel = ready(REPLY + "\nrules: [{match: {type: result}, drop: true}]")
    host.send(channel, {"n": 1}, reply="wanted")
    host.receive({"id": 1, "type": "result"})
    assert (len(host.of(a.Reply)), host.got) == (1, {})


def test_of_a_reply_a_program_gets_what_is_shown_or_else_the_whole() -> None:
    host, channel = ready(REPLY + "\nshow: .data")
    for number in (1, 2):
        host.send(channel, {"n": number}, reply="wanted")
    host.receive({"id": 1, "type": "result", "data": {"x": 1}}, {"id": 2, "type": "result"})
    assert [reply.payload for reply in host.of(a.Reply)] == [b'{"x":1}', b'{"id": 2, "type": "result"}']


def test_no_reply_is_given_that_is_not_wanted_or_not_any_more() -> None:
    host, channel = ready(REPLY)
    host.send(channel, {"n": 1})
    asked = host.send(channel, {"n": 2}, reply="wanted")
    host.session.forget(asked)
    host.receive({"id": 1, "type": "result"}, {"id": 2, "type": "result"})
    assert host.of(a.Reply) == []


def test_a_reply_to_a_message_without_a_reference_cannot_be_told() -> None:
    host, channel = ready('reply: {id: "{sent.ref}"}')
    with pytest.raises(NotSent, match="has no reference"):
        host.send(channel, {"id": 1}, reply="wanted")
    host.send(channel, {"id": 41}, ref=41, reply="wanted")
    assert len(host.receive({"id": 41}).of(a.Reply)) == 1


def test_a_reply_may_be_told_by_a_part_of_the_message() -> None:
    host, channel = ready('outgoing: [EVENT, "{msg}"]\nreply: [OK, "{msg.event.id}"]')
    asked = [host.send(channel, {"event": {"id": name}}, reply=True) for name in "ab"]
    host.receive(["OK", "b", True], ["NO", "a"], ["OK", "c"])
    assert [reply.message for reply in host.of(a.Reply)] == asked[1:]
    with pytest.raises(NotSent, match=r"nothing for '{msg.event.id}'"):
        host.send(channel, {"event": 1}, reply=True)
    host.send(channel, {"event": 1})


def test_limits_send_is_kept_in_every_stretch_of_time() -> None:
    host, channel = ready("limits: {send: 5/s}")
    for number in range(12):
        host.send(channel, {"n": number})
    assert len(host.sent) == 5
    host.advance(0.9)
    assert len(host.sent) == 5
    host.advance(0.1)
    assert len(host.sent) == 10
    host.advance(1)
    assert [one["n"] for one in host.sent] == list(range(12))


def test_rules_and_timers_sends_go_before_users() -> None:
    host, channel = ready(
        "limits: {send: 2/10s}\nrules: [{match: {ping: 1}, send: pong}]\ntimers: [{every: 3s, do: [{send: beat}]}]"
    )
    for number in range(4):
        host.send(channel, {"n": number})
    host.receive({"ping": 1}).advance(10)
    assert host.sent == [{"n": 0}, {"n": 1}, "pong", "beat"]


def test_and_before_those_of_many_subscriptions() -> None:
    plan = session("""
    subscribe: [{send: {sub: 1}}]
    limits: {send: 10/10s}
    timers: [{every: 15s, do: [{send: beat}]}]
    """)
    host = Host(plan, shared=True).dial().join(*(Channel(str(number)) for number in range(100))).advance(20)
    assert host.sent[20] == "beat"


def test_without_beats_programs_have_all_of_it() -> None:
    host, channel = ready("limits: {send: 100/60s}")
    for number in range(200):
        host.send(channel, {"n": number})
    assert len(host.sent) == 100


def test_a_part_of_a_large_limit_is_kept_for_the_sessions_own() -> None:
    host, channel = ready("limits: {send: 100/60s}\ntimers: [{every: 30s, do: [{send: beat}]}]")
    for number in range(200):
        host.send(channel, {"n": number})
    assert len(host.sent) == 95
    host.advance(30)
    assert (len(host.sent), host.sent[-1]) == (96, "beat")
    host.advance(30.1)
    assert len(host.sent) == 191  # the two beats count as well


def test_a_program_on_a_channel_without_a_subscription_is_refused() -> None:
    host, _ = ready("")
    with pytest.raises(NotSent):
        host.session.wrap(Channel("other"), b"x", binary=False)
