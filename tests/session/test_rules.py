"""Rules: what is done about each message that fits, in order."""

from __future__ import annotations

import pytest

from tests.session.declared import session
from tests.session.host import Channel, Host
from wscli.session import actions as a
from wscli.session.engine import delivery


def ready(text: str, *channels: Channel, **more: object) -> Host:
    return Host(session(text), **more).dial().join(*(channels or (Channel("c"),)))  # type: ignore[arg-type]


def test_every_matching_rule_applies_in_order() -> None:
    host = ready("""
    rules:
      - {match: {n: 1}, send: first}
      - {match: {n: 2}, send: other}
      - {match: {n: "{any}"}, send: second, drop: true}
      - {match: {n: 1}, send: third}
    """)
    host.receive({"n": 1}, {"m": 1})
    assert host.sent == ["first", "second", "third"]
    assert host.got == {"c": [{"m": 1}]}


def test_a_rule_wants_a_number_however_it_is_written() -> None:
    host = ready("rules: [{match: {n: 1}, send: one}, {match: {n: 2.0}, send: two}, {match: {n: true}, send: yes}]")
    host.receive(b'{"n": 1.0}', {"n": 2}, {"n": True}, {"n": "1"}, {"n": [1]}, {"n": None})
    assert host.sent == ["one", "two", "yes"]


def test_a_rule_sets_before_it_sends() -> None:
    host = ready("rules: [{match: {s: '{any}'}, set: {seq: .s}, send: {ack: '{var.seq}'}}]")
    host.receive({"s": 1}, {"s": 2})
    assert host.sent == [{"ack": 1}, {"ack": 2}]


def test_of_one_message_the_first_then_counts_and_its_batch_is_finished_first() -> None:
    host = ready("rules: [{match: {n: 1}, then: retry}, {match: {n: '{any}'}, then: stop}]")
    host.receive({"n": 1}, {"n": 2}, {"m": 3})
    assert host.verdicts == [(None, "retry")]
    assert host.got == {"c": [{"n": 1}, {"n": 2}, {"m": 3}]}
    deliver, judge = host.of(a.Deliver)[0], host.of(a.JudgeUpstream)[0]
    assert host.actions.index(deliver) < host.actions.index(judge)
    assert (judge.failure.text, judge.failure.moment) == ('rules[0]: the server sent {"n":1}', "rule")


def test_then_gap_records_a_gap_before_the_message_and_goes_on() -> None:
    host = ready("rules: [{match: {reset: true}, then: gap}]")
    host.receive({"n": 1}, {"reset": True}, {"n": 2})
    assert host.verdicts == []
    kinds = [type(one).__name__ for one in host.actions if isinstance(one, (a.Deliver, a.RecordGap))]
    assert kinds == ["Deliver", "RecordGap", "Deliver"]
    assert host.of(a.RecordGap) == [a.RecordGap(host.of(a.Deliver)[0].channel, "declared", None)]
    assert host.got == {"c": [{"n": 1}, {"reset": True}, {"n": 2}]}


def test_do_runs_one_at_a_time() -> None:
    host = ready("rules: [{match: {n: '{any}'}, drop: true, do: [{send: {ask: '{msg.n}'}, expect: {ok: '{msg.n}'}}]}]")
    host.receive({"n": 1}, {"n": 2}, {"n": 3})
    assert host.sent == [{"ask": 1}]
    host.receive({"ok": 2}, {"ok": 1})
    assert host.sent == [{"ask": 1}, {"ask": 2}]
    host.receive({"ok": 2}, {"ok": 3})
    assert host.sent == [{"ask": 1}, {"ask": 2}, {"ask": 3}]


def test_a_thousand_messages_whose_do_ends_at_once_are_no_recursion() -> None:
    host = ready("rules: [{match: {n: '{any}'}, do: [{set: {x: '{msg.n}'}}]}]")
    host.receive(*({"n": number} for number in range(1000)))
    assert host.session.variables()["x"] == 999


def test_too_many_messages_that_wait_for_a_do_are_a_clear_failure() -> None:
    host = ready("rules: [{match: {n: '{any}'}, do: [{send: {ask: 1}, expect: {ok: 1}}]}]")
    host.receive(*({"n": number} for number in range(300)))
    assert host.failure == "rules[0]: over 256 messages wait for its 'do'"


def test_a_do_that_fails_gives_its_verdict() -> None:
    host = ready("rules: [{match: {n: 1}, do: [{send: a, expect: [{match: {no: 1}, then: stop}, {match: {ok: 1}}]}]}]")
    host.receive({"n": 1}).advance(10)
    assert host.verdicts == [(None, None)]
    assert host.of(a.JudgeUpstream)[0].failure.moment == "rule"
    host.receive({"n": 1}).receive({"no": 1})
    assert host.verdicts[1:] == [(None, "stop")]


PER_CHANNEL = """
rules:
  - {match: {ch: "{with.id}", ping: true}, send: {pong: "{with.id}"}, drop: true}
  - {match: {ch: "{with.id}", end: true}, then: done}
  - {match: {ch: "{with.id}", seq: "{any}"}, keep: {seq: .seq}}
route: {ch: "{with.id}"}
"""


def test_a_rule_that_names_with_is_its_channels() -> None:
    one, two = Channel("one", {"id": 1}), Channel("two", {"id": 2})
    host = ready(PER_CHANNEL, one, two, shared=True)
    host.receive({"ch": 1, "ping": True}, {"ch": 2, "end": True}, {"ch": 1, "seq": 7}, {"ch": "1", "seq": 8})
    assert host.sent == [{"pong": 1}]
    assert host.verdicts == [("two", "done")]
    assert (one.kept, two.kept) == ({"seq": 7}, {})
    assert host.got == {"one": [{"ch": 1, "seq": 7}], "two": [{"ch": 2, "end": True}]}
    assert host.unrouted == 1


def test_a_channel_that_was_judged_is_forgotten_until_it_joins_again() -> None:
    one = Channel("one", {"id": 1})
    host = ready(PER_CHANNEL, one, shared=True)
    host.receive({"ch": 1, "end": True}).receive({"ch": 1}, {"ch": 1, "end": True})
    assert host.verdicts == [("one", "done")]
    host.join(one).receive({"ch": 1, "n": 5})
    assert host.got["one"] == [{"ch": 1, "end": True}, {"ch": 1, "n": 5}]


def test_a_channels_verdict_is_the_upstreams_where_it_is_not_shared() -> None:
    host = ready(PER_CHANNEL, Channel("one", {"id": 1})).receive({"ch": 1, "end": True})
    assert host.verdicts == [(None, "done")]


def test_a_rule_of_sub_follows_its_value() -> None:
    one = Channel("one")
    host = ready(
        """
        subscribe: [{send: sub, expect: {ok: true}, set: {id: .id}}]
        rules:
          - {match: {id: "{sub.id}", moved: "{any}"}, set: {id: .moved}}
          - {match: {id: "{sub.id}"}, send: {seen: "{sub.id}"}}
        """,
        one,
        shared=True,
    )
    host.receive({"ok": True, "id": "a"}, {"id": "a"}, {"id": "a", "moved": "b"}, {"id": "a"}, {"id": "b"})
    assert host.sent == ["sub", {"seen": "a"}, {"seen": "b"}]


ACKS = "rules: [{match: {id: '{any}'}, send: {ack: '{msg.id}', v: '{var.v?0}'}, ack: logged, set: {v: .id}}]"


def test_ack_logged_renders_at_receipt_and_sends_once_the_message_is_committed() -> None:
    host = ready(ACKS, log=False)
    host.receive({"id": 1}, {"id": 2})
    assert host.sent == []
    (deliver,) = host.of(a.Deliver)
    assert [at for at, _ in deliver.acks] == [0, 1]
    host.do(host.session.logged(host.unlogged[1]))
    assert host.sent == [{"ack": 2, "v": 2}]
    host.do(host.session.logged(host.unlogged[0]))
    assert host.sent == [{"ack": 2, "v": 2}, {"ack": 1, "v": 1}]
    assert host.session.logged(host.unlogged[0]) == []


def test_a_message_for_several_channels_is_acknowledged_after_all() -> None:
    host = ready(ACKS, Channel("one"), Channel("two"), shared=True, log=False)
    host.receive({"id": 1})
    one, two = host.unlogged
    host.do(host.session.logged(one))
    assert host.sent == []
    host.do(host.session.logged(two))
    assert host.sent == [{"ack": 1, "v": 1}]


def test_what_no_history_takes_is_acknowledged_at_once() -> None:
    text = ACKS + "\nroute: {type: event}"
    assert ready(text, log=False).receive({"id": 1, "type": "x"}).sent == [{"ack": 1, "v": 1}]
    dropped = ACKS.replace("ack: logged", "ack: logged, drop: true")
    assert ready(dropped, log=False).receive({"id": 1}).sent == [{"ack": 1, "v": 1}]


def test_an_ack_draws_its_reference_as_it_is_let_out() -> None:
    host = ready("rules: [{match: {id: 1}, send: {ack: '{msg.id}', n: '{ref.int}'}, ack: logged}]", log=False)
    host.receive({"id": 1}, {"id": 1})
    for number in reversed(host.unlogged):
        host.do(host.session.logged(number))
    assert host.sent == [{"ack": 1, "n": 1}, {"ack": 1, "n": 2}]


def test_a_split_message_is_acknowledged_with_its_last_part() -> None:
    host = ready(ACKS + "\nshow: .items[]", log=False).receive({"id": 1, "items": [1, 2, 3]})
    (deliver,) = host.of(a.Deliver)
    assert (deliver.payloads, [at for at, _ in deliver.acks]) == ([b"1", b"2", b"3"], [2])
    assert ready(ACKS + "\nshow: .items[]", log=False).receive({"id": 1, "items": []}).sent == [{"ack": 1, "v": 1}]


def test_ten_thousand_answers_that_cannot_be_sent_are_a_clear_failure() -> None:
    host = ready("rules: [{match: {ping: 1}, send: pong, drop: true}]")
    host.blocked = True
    host.receive(*[{"ping": 1}] * 9_999)
    assert host.verdicts == []
    host.receive(*[{"ping": 1}] * 100)
    assert host.verdicts == [(None, None)]
    assert host.failure == "10000 messages of rules and timers wait to be sent"


def test_acknowledgements_that_are_never_due_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_MOST_ACKS", 10)
    host = ready(ACKS, log=False).receive(*[{"id": 1}] * 20)
    assert host.sent == []
    host.do(host.session.logged(host.unlogged[0]))
    assert host.sent == []
    host.do(host.session.logged(host.unlogged[-1]))
    assert host.sent == [{"ack": 1, "v": 1}]
