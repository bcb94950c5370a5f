"""What channels get: held until they are ready, shown, split, with keys, gaps and kept values."""

from __future__ import annotations

import json
from unittest.mock import patch

import pytest

from tests.session.declared import session
from tests.session.host import Channel, Host, path
from wscli.session import actions as a
from wscli.session import frames
from wscli.session.engine.memory import Memory


def opened(text: str, *channels: Channel, **more: object) -> Host:
    return Host(session(text), **more).dial().join(*channels)  # type: ignore[arg-type]


def kinds(host: Host) -> list[str]:
    wanted = (a.SubscriptionReady, a.Deliver, a.RecordGap)
    return [type(one).__name__ for one in host.actions if isinstance(one, wanted)]


SUBSCRIBE = "subscribe: [{send: sub, expect: {ok: true}}]"


def test_what_flows_on_before_ready_is_held_and_admitted_after_the_gap() -> None:
    host = opened(SUBSCRIBE, Channel("c")).receive({"n": 1}, {"n": 2})
    assert host.got == {}
    host.receive({"n": 3}, {"ok": True}, {"n": 4})
    assert host.got == {"c": [{"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}]}
    assert kinds(host) == ["SubscriptionReady", "Deliver"]


def test_what_flows_on_during_hello_is_held_as_well() -> None:
    text = "hello: [{expect: {hi: 1}}]\n" + SUBSCRIBE
    host = Host(session(text)).join(Channel("c")).dial().receive({"n": 1}, {"hi": 1}, {"n": 2})
    assert host.receive({"n": 3}, {"ok": True}).got == {"c": [{"n": 1}, {"n": 2}, {"n": 3}]}


def test_what_follows_the_end_of_hello_in_one_read_is_no_exception() -> None:
    text = 'hello: [{expect: {hi: 1}}]\nroute: {ch: "{with.ch}"}\norder: .s'
    host = Host(session(text), shared=True).join(Channel("a", {"ch": 1})).dial()
    host.receive({"s": 1}, {"hi": 1, "s": 2}, {"ch": 1, "s": 3}, {"ch": 1, "s": 5})
    assert host.got == {"a": [{"ch": 1, "s": 3}, {"ch": 1, "s": 5}]}
    assert [gap.missed for gap in host.of(a.RecordGap)] == [1]


def test_of_a_shared_upstream_each_channel_gets_its_own_of_them() -> None:
    text = 'hello: [{expect: {hi: 1}}]\nroute: {ch: "{with.ch}"}'
    one, two, late = (Channel(name, {"ch": name}) for name in "abc")
    host = Host(session(text), shared=True).join(one, two).dial()
    host.receive({"ch": "a"}, {"ch": "b"}, {"ch": "c"}, {"ch": "d"}, {"hi": 1})
    assert host.got == {"a": [{"ch": "a"}], "b": [{"ch": "b"}]}
    host.join(late)
    assert (host.got.get("c"), host.unrouted) == (None, 2)


def test_over_a_mebibyte_of_held_messages_fails_the_attempt() -> None:
    flood = [{"n": "x" * 100_000}] * 11
    host = opened(SUBSCRIBE, Channel("c")).receive(*flood[:10])
    assert host.verdicts == []
    host.receive(*flood)
    assert host.verdicts == [(None, None)]
    assert host.failure == "over 1MiB of messages, or over 65536, arrived before the channel was subscribed"
    early = Host(session("hello: [{expect: {hi: 1}}]")).dial().receive(*flood)
    assert early.verdicts == [(None, None)]
    assert early.of(a.JudgeUpstream)[0].failure.moment == "hello"


def test_so_do_many_small_ones() -> None:
    host = opened(SUBSCRIBE, Channel("c"))
    host.do(host.session.received([b"1"] * 65_536, None))
    assert host.verdicts == []
    host.do(host.session.received([b"1"], None))
    assert host.verdicts == [(None, None)]


def test_what_many_channels_share_is_given_to_each_in_one_go() -> None:
    text = 'hello: [{expect: {hi: 1}}]\nroute: {ch: "{with.ch}"}'
    host = Host(session(text), shared=True).join(*(Channel(str(at), {"ch": at}) for at in range(200))).dial()
    host.receive(*({"ch": number % 200} for number in range(20_000)), {"hi": 1})
    assert [len(got) for got in host.got.values()] == [100] * 200


def test_a_flood_for_one_channel_of_a_shared_upstream_fails_that_one() -> None:
    one, two = Channel("a", {"ch": "a"}), Channel("b", {"ch": "b"})
    text = 'subscribe: [{send: sub, expect: {ok: "{with.ch}"}}]\nroute: {ch: "{with.ch}"}'
    host = opened(text, one, two, shared=True).receive(*[{"ch": "a", "n": "x" * 100_000}] * 11)
    assert host.verdicts == [("a", None)]
    assert host.receive({"ch": "b"}, {"ok": "b"}).got == {"b": [{"ch": "b"}]}


def test_an_acknowledgement_of_a_held_message_waits_with_it() -> None:
    text = SUBSCRIBE + "\nrules: [{match: {id: '{any}'}, send: {ack: '{msg.id}'}, ack: logged}]"
    host = opened(text, Channel("c")).receive({"id": 1})
    assert host.sent == ["sub"]
    assert host.receive({"ok": True}).sent == ["sub", {"ack": 1}]


def test_one_batch_is_one_delivery_a_channel() -> None:
    host = opened('route: {ch: "{with.ch}"}', *(Channel(name, {"ch": name}) for name in "ab"), shared=True)
    host.receive(*({"ch": "ab"[number % 2], "n": number} for number in range(10)))
    assert [len(one.payloads) for one in host.of(a.Deliver)] == [5, 5]


@pytest.mark.parametrize(
    ("show", "message", "payloads"),
    [
        (".text", {"text": "ab\n"}, [b"ab\n"]),
        (".data", {"data": {"n": 12345678901234567890, "x": "é"}}, ['{"n":12345678901234567890,"x":"é"}'.encode()]),
        (".data", {"data": None}, [b"null"]),
        (".data", {"other": 1}, [b'{"other": 1}']),
        (".messages[]", {"messages": [{"a": 1}, "b", 3]}, [b'{"a":1}', b"b", b"3"]),
        (".messages[]", {"messages": []}, []),
        (".messages[].v", {"messages": [{"v": 1}, {"v": 2}]}, [b"1", b"2"]),
        (".data|fromjson|.id", {"data": '{"id":7}'}, [b"7"]),
    ],
)
def test_show_gives_a_strings_text_or_compact_json_and_absent_the_whole_message(
    show: str, message: object, payloads: list[bytes]
) -> None:
    host = opened(f"show: {show}", Channel("c")).receive(message)
    assert [one for deliver in host.of(a.Deliver) for one in deliver.payloads] == payloads


def test_binary_messages_keep_their_kind_and_what_is_shown_is_text() -> None:
    host = opened("show: .x", Channel("c"))
    host.do(host.session.received([b'{"x":1}', b"\x00", b'{"x":2}', b'{"y":1}'], b"tbbb"))
    (deliver,) = host.of(a.Deliver)
    assert (deliver.payloads, deliver.kinds) == ([b"1", b"\x00", b"2", b'{"y":1}'], b"tbtb")


def test_dedupe_sees_the_whole_message_and_parts_have_keys_of_their_own() -> None:
    host = opened("show: .items[]", Channel("c", dedupe=path(".id")))
    host.receive({"id": "x", "items": [1, 2]}, {"items": [3]}, {"id": 5, "items": [4]})
    assert host.of(a.Deliver)[0].keys == ['"x"', '"x"#1', None, "5"]


def test_order_gives_a_gap_with_its_exact_count_before_drop_and_route() -> None:
    text = "order: .s\nroute: {t: event}\nrules: [{match: {drop: true}, drop: true}]"
    host = opened(text, Channel("a"), Channel("b"), shared=True)
    host.receive({"s": 5, "t": "event"}, {"s": 6}, {"s": 7, "t": "event", "drop": True}, {"s": 8, "t": "event"})
    assert host.of(a.RecordGap) == []
    host.receive({"t": "event"}, {"s": 12, "t": "event"}, {"s": 13})
    assert [(one.channel.name, one.reason, one.missed) for one in host.of(a.RecordGap)] == [
        ("a", "skipped", 3),
        ("b", "skipped", 3),
    ]


def test_order_invents_no_gap() -> None:
    host = opened("order: .s", Channel("c"))
    host.receive({"s": 3}, {"s": 3}, {"s": 2}, {"s": 4}, {"s": None}, {"s": True}, {"s": "5"}, {"x": 1}, {"s": 6})
    host.receive({"s": 0}, {"s": 1}, {"s": 2}).receive({"s": 1}, {"s": 2}, {"s": 3})
    host.receive({"s": 1}, {"s": 4}, {"s": 0}, {"s": 0}, {"s": 5})
    assert host.of(a.RecordGap) == []
    host.receive({"s": 1}, {"s": 8}, {"s": 1}, {"s": 4})
    assert [one.missed for one in host.of(a.RecordGap)] == [2, 2]


def test_order_of_a_route_counts_per_channel() -> None:
    one, two = Channel("a", {"ch": "a"}), Channel("b", {"ch": "b"})
    host = opened('route: [{match: {ch: "{with.ch}"}, order: .s}]', one, two, shared=True)
    host.receive({"ch": "a", "s": 1}, {"ch": "b", "s": 9}, {"ch": "a", "s": 2}, {"ch": "b", "s": 12})
    assert [(one.channel.name, one.missed) for one in host.of(a.RecordGap)] == [("b", 2)]
    host.leave(two).join(two).receive({"ch": "b", "s": 20})
    assert len(host.of(a.RecordGap)) == 1


def test_kept_values_are_in_the_commit_of_their_messages() -> None:
    text = "rules: [{match: {s: '{any}'}, keep: {seq: .s}}]"
    host = opened(text, Channel("c")).receive({"s": 1}, {"s": 2}, {"n": 1}).receive({"n": 2})
    assert [one.kept for one in host.of(a.Deliver)] == [{"sub": {}, "var": {"seq": 2}}, None]
    host.receive({"s": 2}).receive({"s": 3})
    assert [one.kept and one.kept["var"] for one in host.of(a.Deliver)[2:]] == [None, {"seq": 3}]
    assert host.of(a.Keep) == []


def test_without_a_message_they_are_kept_by_themselves() -> None:
    channel = Channel("c")
    host = opened("rules: [{match: {s: '{any}'}, keep: {seq: .s}, drop: true}]", channel).receive({"s": 1})
    assert host.of(a.Keep) == [a.Keep(channel, {"var": {"seq": 1}})]


def test_what_a_shared_upstream_keeps_is_in_memory_alone() -> None:
    memory = Memory()
    text = "rules: [{match: {s: '{any}'}, keep: {seq: .s}}]"
    shared = opened(text, Channel("c"), shared=True, memory=memory).receive({"s": 1})
    assert (shared.of(a.Keep), [one.kept for one in shared.of(a.Deliver)], memory.kept) == ([], [None], {"seq": 1})


def test_they_are_never_ahead_of_messages_that_are_held() -> None:
    text = SUBSCRIBE + "\nrules: [{match: {s: '{any}'}, keep: {seq: .s}}]"
    host = opened(text, Channel("c")).receive({"s": 1})
    assert (host.of(a.Keep), host.of(a.Deliver)) == ([], [])
    host.receive({"ok": True})
    assert host.of(a.Deliver)[0].kept == {"sub": {}, "var": {"seq": 1}}
    gap = opened(text + "\norder: .s", Channel("c")).receive({"ok": True}, {"s": 1}, {"s": 5})
    assert [one.kept and one.kept["var"] for one in gap.of(a.Deliver)] == [None, {"seq": 5}]


def test_a_message_is_decoded_once_and_only_where_something_needs_it() -> None:
    decoded: list[object] = []

    def counting(payload: bytes) -> object:
        decoded.append(payload)
        return json.loads(payload)

    with patch.object(frames, "decode_any", counting):
        host = opened("hello: [{expect: {hi: 1}}]").receive({"hi": 1}).join(Channel("c"))
        assert len(decoded) == 1
        host.receive({"n": 1}, {"n": 2})
        assert (len(decoded), len(host.got["c"])) == (1, 2)
        rules = opened("rules: [{match: {a: 1}, drop: true}, {match: {b: 1}}]\nroute: {n: 1}\nshow: .n", Channel("c"))
        rules.receive({"n": 1}, {"n": 2})
        assert len(decoded) == 3
        opened("", Channel("c", dedupe=path(".id"))).receive({"n": 1})
        assert len(decoded) == 4
