"""Channels on one connection: subscribed, routed, unsubscribed, each by itself."""

from __future__ import annotations

from random import Random

from tests.session.declared import session
from tests.session.host import Channel, Host
from wscli.session import actions as a

HOME = """
hello: [{send: hi, expect: {hi: 1}}]
subscribe:
  - send: {id: "{ref.int}", sub: "{with.topic}"}
    expect: [{match: {id: "{sent.ref}", ok: true}}, {match: {id: "{sent.ref}", ok: false}, then: stop}]
unsubscribe: [{send: {unsub: "{sub.ref}"}}]
route: {id: "{sub.ref}", type: event}
"""


def opened(text: str = HOME, *channels: Channel, **more: object) -> Host:
    return Host(session(text), shared=True, **more).dial().receive({"hi": 1}).join(*channels)  # type: ignore[arg-type]


def topic(name: str, **more: object) -> Channel:
    return Channel(name, {"topic": name}, **more)  # type: ignore[arg-type]


def test_a_channel_is_ready_once_its_subscribe_is_answered() -> None:
    host = opened(HOME, topic("a"))
    assert host.sent[1:] == [{"id": 1, "sub": "a"}]
    assert host.ready == []
    assert host.of(a.StepWaits)[-1].text.startswith("subscribe[0]: waiting for")
    assert host.receive({"id": 1, "ok": True}).ready == ["a"]


def test_channels_that_join_before_hello_is_over_are_subscribed_then() -> None:
    host = Host(session(HOME), shared=True)
    host.join(topic("a", critical=False), topic("b"))
    host.dial()
    assert host.sent == ["hi"]
    host.receive({"hi": 1})
    assert host.sent[1:] == [{"id": 1, "sub": "b"}, {"id": 2, "sub": "a"}]  # the critical one first


def test_one_refused_subscription_fails_one_channel() -> None:
    host = opened(HOME, topic("a"), topic("b"))
    host.receive({"id": 1, "ok": False}, {"id": 2, "ok": True})
    assert (host.ready, host.verdicts) == (["b"], [("a", "stop")])
    judged = host.of(a.JudgeChannel)[0].failure
    assert (judged.moment, judged.kind.value) == ("subscribe", "session")


def test_a_subscription_that_is_not_answered_is_judged_by_the_tables() -> None:
    host = opened(HOME, topic("a"), topic("b")).receive({"id": 2, "ok": True}).advance(10)
    assert host.verdicts == [("a", None)]
    assert host.failure.startswith("subscribe[0] (send): no answer within 10s")


def test_it_is_subscribed_anew_as_it_joins_again() -> None:
    one = topic("a")
    host = opened(HOME, one).receive({"id": 1, "ok": False}).join(one)
    assert host.receive({"id": 2, "ok": True}).ready == ["a"]


def test_answers_of_200_concurrent_subscribes_arrive_in_any_order() -> None:
    channels = [topic(f"c{number}") for number in range(200)]
    host = opened(HOME, *channels)
    assert len(host.sent) == 201
    answers = [{"id": number, "ok": number % 10 != 0} for number in range(1, 201)]
    Random(1).shuffle(answers)
    for at in range(0, 200, 7):
        host.receive(*answers[at : at + 7])
    assert len(host.ready) == 180
    assert sorted(host.verdicts) == sorted((f"c{number - 1}", "stop") for number in range(10, 201, 10))
    events = [{"id": number, "type": "event"} for number in range(1, 201)]
    host.receive(*events)
    assert len(host.got) == 180
    assert all(got == [{"id": int(name[1:]) + 1, "type": "event"}] for name, got in host.got.items())
    assert len(host.of(a.Deliver)) == 180
    assert host.unrouted == 20


def test_a_server_that_acknowledges_twice_or_with_anothers_id_changes_nothing() -> None:
    host = opened(HOME, topic("a"), topic("b"))
    host.receive({"id": 1, "ok": True}, {"id": 1, "ok": True}, {"id": 7, "ok": True}, {"id": "2", "ok": True})
    assert (host.ready, host.verdicts) == (["a"], [])
    host.receive({"id": 1, "ok": False}).receive({"id": 2, "ok": True})
    assert (host.ready, host.verdicts) == (["a", "b"], [])


def test_the_reference_is_in_the_route_before_the_write() -> None:
    host = Host(session('subscribe: [{send: {id: "{ref.uuid}"}}]\nroute: {id: "{sub.ref}"}'), shared=True).dial()
    host.blocked = True
    host.join(topic("a"))
    host.session.let_out(host.waiting.pop())
    host.receive({"id": "uuid-1", "n": 1})
    assert host.got == {"a": [{"id": "uuid-1", "n": 1}]}


def test_the_reference_is_that_of_the_first_send_and_keeps_its_type() -> None:
    host = opened(
        """
        subscribe:
          - {send: {id: "{ref.str}", a: 1}}
          - {send: {id: "{ref.int}", b: "{sub.ref}"}}
        """,
        topic("a"),
    )
    assert host.sent == [{"id": "1", "a": 1}, {"id": 2, "b": "1"}]


def test_a_message_goes_by_the_first_route_that_fits_and_shows_what_that_says() -> None:
    host = opened(
        """
        route:
          - {match: {topic: "{with.topic}", type: news}, show: .data}
          - {match: {topic: "{with.topic}"}}
          - {match: {type: all}, show: .text}
        show: .rest
        """,
        topic("a"),
        topic("b"),
    )
    host.receive({"topic": "a", "type": "news", "data": 1}, {"topic": "a", "rest": 2}, {"type": "all", "text": "t"})
    assert host.got == {"a": [1, 2, "t"], "b": ["t"]}


def test_two_channels_of_one_value_both_get_its_messages() -> None:
    text = 'route: {topic: "{with.topic}"}'
    host = opened(text, Channel("a", {"topic": 1}), Channel("b", {"topic": 1.0}), Channel("c", {"topic": True}))
    host.receive({"topic": 1})
    assert list(host.got) == ["a", "b"]


def test_route_filters_an_unshared_channel_and_counts_the_rest() -> None:
    host = Host(session("route: {type: event}")).dial().join(Channel("c"))
    host.receive({"type": "event"}, {"type": "other"}, "text")
    assert (host.got, host.unrouted) == ({"c": [{"type": "event"}]}, 2)


def test_without_route_every_message_is_every_channels() -> None:
    host = Host(session(""), shared=True).dial().join(topic("a"), topic("b")).receive({"n": 1}, b"\xff\x00")
    assert host.of(a.Deliver)[0].payloads == [b'{"n": 1}', b"\xff\x00"]
    assert len(host.of(a.Deliver)) == 2


def test_limits_subscribe_paces_subscriptions_and_critical_ones_go_first() -> None:
    host = Host(session(HOME + "\nlimits: {subscribe: 5/s}"), shared=True)
    host.join(*(topic(f"c{number}", critical=number % 2 == 1) for number in range(12)))
    host.dial().receive({"hi": 1})
    subscribed = [one["sub"] for one in host.sent[1:]]
    assert subscribed == ["c1", "c3", "c5", "c7", "c9"]
    waits = {one.channel.name: one.text for one in host.of(a.StepWaits) if one.channel is not None}
    assert waits["c0"].startswith("subscribe: waiting for its turn")
    host.advance(0.9)
    assert len(host.sent) == 6
    host.advance(0.1)
    assert [one["sub"] for one in host.sent[6:]] == ["c11", "c0", "c2", "c4", "c6"]
    host.advance(1)
    assert len(host.sent) == 13


def test_one_that_leaves_before_its_turn_takes_nobodys_place() -> None:
    channels = [topic(f"c{number}") for number in range(3)]
    host = opened(HOME + "\nlimits: {subscribe: 1/s}", *channels).leave(channels[1]).advance(1)
    assert [one["sub"] for one in host.sent[1:]] == ["c0", "c2"]
    assert len(host.of(a.Unsubscribed)) == 1


def test_a_channel_that_leaves_gets_nothing_more_and_is_unsubscribed() -> None:
    one = topic("a")
    host = opened(HOME, one).receive({"id": 1, "ok": True}).leave(one)
    assert host.sent[-1] == {"unsub": 1}
    assert [action.channel for action in host.of(a.Unsubscribed)] == [one]
    assert host.receive({"id": 1, "type": "event"}).got == {}


def test_it_is_unsubscribed_once_the_answer_is_there_or_late() -> None:
    text = HOME.replace('{send: {unsub: "{sub.ref}"}}', '{send: {unsub: "{sub.ref}"}, expect: {unsubbed: 1}}')
    one = topic("a")
    host = opened(text, one).receive({"id": 1, "ok": True}).leave(one)
    assert host.of(a.Unsubscribed) == []
    assert len(host.receive({"id": 1, "type": "event"}, {"unsubbed": 1}).of(a.Unsubscribed)) == 1
    host = opened(text, one).receive({"id": 1, "ok": True}).leave(one).advance(10)
    assert (len(host.of(a.Unsubscribed)), host.verdicts, host.got) == (1, [], {})


def test_one_that_was_not_subscribed_is_not_unsubscribed() -> None:
    one = topic("a")
    host = Host(session(HOME), shared=True).join(one).dial().leave(one).receive({"hi": 1})
    assert host.sent == ["hi"]
    assert len(host.of(a.Unsubscribed)) == 1


def test_a_subscribe_that_waits_to_be_sent_is_not_sent_after_all() -> None:
    one = topic("a")
    host = opened()
    host.blocked = True
    host.join(one).leave(one)
    host.blocked = False
    host.flush()
    assert host.sent == ["hi"]


def test_unsubscribe_is_not_sent_while_another_channel_rendered_the_same_subscribe() -> None:
    one, two, other = Channel("a", {"topic": 1}), Channel("b", {"topic": 1}), Channel("c", {"topic": 2})
    host = opened(HOME, one, two, other)
    host.receive({"id": 1, "ok": True}, {"id": 2, "ok": True}, {"id": 3, "ok": True})
    assert len(host.leave(one).of(a.Unsubscribed)) == 1
    assert "unsub" not in host.sent[-1]
    assert host.leave(two).sent[-1] == {"unsub": 2}


def test_one_that_leaves_during_unsubscribe_may_join_again() -> None:
    one = topic("a")
    text = HOME.replace('{send: {unsub: "{sub.ref}"}}', '{send: {unsub: "{sub.ref}"}, expect: {unsubbed: 1}}')
    host = opened(text, one).receive({"id": 1, "ok": True}).leave(one).join(one)
    assert host.receive({"id": 2, "ok": True}, {"id": 2, "type": "event"}).got == {"a": [{"id": 2, "type": "event"}]}


def test_a_verdict_on_one_channel_leaves_its_neighbours() -> None:
    host = opened(
        'rules: [{match: {end: "{with.topic}"}, then: retry}]\nroute: {topic: "{with.topic}"}', topic("a"), topic("b")
    )
    host.receive({"end": "a"}, {"topic": "a"}, {"topic": "b"}).receive({"topic": "a"}, {"topic": "b"})
    assert host.verdicts == [("a", "retry")]
    assert host.got == {"a": [{"topic": "a"}], "b": [{"topic": "b"}, {"topic": "b"}]}
