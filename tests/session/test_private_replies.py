"""Requests of clients with ids of their own: unique on the connection, answered to their asker alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.session.host import Channel, Host
from tests.session.test_outgoing import ready
from wscli.session import actions as a

IDS_ONLY = 'reply: {id: "{sent.ref}"}'


def ask(host: Host, channel: Channel, message: Any) -> Any:
    return host.send(channel, message, reply="private")


def replies(host: Host) -> list[Any]:
    return [json.loads(one.payload) for one in host.of(a.Reply)]


def test_equal_ids_of_two_clients_become_different_ones_and_come_back() -> None:
    host, channel = ready(IDS_ONLY)
    asked = [ask(host, channel, {"id": 1, "method": name}) for name in ("a", "b")]
    assert host.sent == [{"id": 1, "method": "a"}, {"id": 2, "method": "b"}]
    host.receive({"id": 2, "result": "B"}, {"id": 1, "result": "A"})
    assert [one.message for one in host.of(a.Reply)] == asked[::-1]
    assert replies(host) == [{"id": 1, "result": "B"}, {"id": 1, "result": "A"}]
    assert host.got == {}, "an answer goes to its asker alone"


def test_a_request_that_waits_for_its_reply_does_not_keep_what_was_sent() -> None:
    host, channel = ready(IDS_ONLY)
    asked = ask(host, channel, {"id": 1, "data": "x" * 100_000})
    assert asked.reply is not None
    assert not hasattr(asked, "render"), "thousands may wait"
    assert "xxx" not in repr(asked)


@pytest.mark.parametrize(
    ("own", "sent"),
    [
        (7, 1),
        (10**40, 1),
        (-1, 1),
        (1.5, 1),
        ("7", "1"),
        ("", "1"),
        ("x" * 10_000, "1"),
    ],
)
def test_a_number_stands_for_a_number_and_text_for_text(own: Any, sent: Any) -> None:
    host, channel = ready(IDS_ONLY)
    ask(host, channel, {"a": [1], "id": own})
    assert host.sent == [{"a": [1], "id": sent}]
    host.receive({"id": sent, "ok": True})
    assert replies(host) == [{"id": own, "ok": True}]
    assert type(replies(host)[0]["id"]) is type(own)


@pytest.mark.parametrize("message", [{"method": "note"}, {"id": None}, {"id": True}, {"id": {"x": 1}}, [1], b"no json"])
def test_a_message_without_an_id_goes_as_it_stands_and_its_answer_is_any_message(message: Any) -> None:
    host, channel = ready(IDS_ONLY)
    asked = ask(host, channel, message)
    assert asked.reply is None
    raw = message if isinstance(message, bytes) else json.dumps(message).encode()
    assert host.sent == [raw.decode() if isinstance(message, bytes) else message]
    host.receive({"id": None, "error": "?"})
    assert (host.of(a.Reply), len(host.got["c"])) == ([], 1)


def test_the_id_that_merge_replaces_comes_back_where_the_reply_has_it() -> None:
    host, channel = ready('merge: {seq: "{ref.int}"}\nreply: {seq_reply: "{sent.ref}"}')
    ask(host, channel, {"seq": 90, "action": "typing"})
    ask(host, channel, {"action": "ping"})
    assert [one["seq"] for one in host.sent] == [1, 2]
    host.receive({"seq_reply": 2}, {"seq_reply": 1, "status": "OK"})
    assert replies(host) == [{"seq_reply": 2}, {"seq_reply": 90, "status": "OK"}]


def test_what_outgoing_wraps_has_no_id_and_its_reply_is_shown() -> None:
    host, channel = ready('outgoing: ["{ref.str}", "{msg}"]\nreply: [ "{sent.ref}" ]\nshow: ".[1]"')
    ask(host, channel, {"id": 5})
    assert host.sent == [["1", {"id": 5}]]
    host.receive(["1", {"status": "ok"}])
    assert replies(host) == [{"status": "ok"}]


def test_a_reply_has_its_place_among_the_messages_of_the_same_turn() -> None:
    host, channel = ready(IDS_ONLY)
    ask(host, channel, {"id": 1})
    host.actions.clear()
    host.receive({"n": 1}, {"n": 2}, {"id": 1}, {"n": 3})
    told = [one for one in host.actions if isinstance(one, (a.Deliver, a.Reply))]
    assert [len(one.payloads) if isinstance(one, a.Deliver) else "reply" for one in told] == [2, "reply", 1]


def test_the_rules_see_a_private_reply_and_no_reader_does() -> None:
    host, channel = ready(
        IDS_ONLY + "\nrules: [{match: {id: '{any}'}, set: {last: .id}, send: {seen: '{msg.id}'}}]\nroute: {c: 1}"
    )
    ask(host, channel, {"id": "x"})
    host.receive({"id": "1", "c": 1})
    assert host.sent[1:] == [{"seen": "1"}]
    assert host.got == {}


def test_big_integers_of_a_reply_are_kept() -> None:
    host, channel = ready(IDS_ONLY)
    ask(host, channel, {"id": 3, "n": 2**70})
    assert host.sent == [{"id": 1, "n": 2**70}]
    host.receive({"id": 1, "n": 2**70})
    assert replies(host) == [{"id": 3, "n": 2**70}]


def test_a_second_answer_to_one_request_is_any_message() -> None:
    host, channel = ready(IDS_ONLY)
    ask(host, channel, {"id": 8})
    host.receive({"id": 1}, {"id": 1})
    assert (replies(host), len(host.got["c"])) == ([{"id": 8}], 1)


@pytest.mark.parametrize("session", [IDS_ONLY, 'merge: {id: "{ref.int}", jsonrpc: "2.0"}\n' + IDS_ONLY])
def test_a_request_in_a_binary_message_is_told_from_others_too_and_stays_binary(session: str) -> None:
    host, channel = ready(session)
    said = b'{"id": 7, "jsonrpc": "2.0"}'
    out = host.session.let_out(host.session.wrap(channel, said, binary=True, reply="private"))
    assert (json.loads(out.payload or b""), out.binary) == ({"id": 1, "jsonrpc": "2.0"}, True)
    host.receive({"id": 1, "result": 5})
    assert replies(host) == [{"id": 7, "result": 5}]


def test_a_binary_message_that_is_no_request_passes_as_it_is() -> None:
    host, channel = ready(IDS_ONLY)
    for said in (b"\x00\xff", b'{"method":  "note"}'):
        out = host.session.let_out(host.session.wrap(channel, said, binary=True, reply="private"))
        assert (out.payload, out.binary) == (said, True)


def test_each_request_of_a_batch_has_a_reference_of_its_own_and_the_asker_gets_the_whole_answer() -> None:
    host, channel = ready(IDS_ONLY)
    ask(host, channel, [{"id": 1, "m": "a"}, {"m": "note"}, {"id": "x", "m": "b"}])
    ask(host, channel, [{"id": 1, "m": "c"}])
    assert host.sent == [[{"id": 1, "m": "a"}, {"m": "note"}, {"id": "2", "m": "b"}], [{"id": 3, "m": "c"}]]
    host.receive([{"id": 3, "r": "C"}], [{"id": None, "r": 5}, {"id": "2", "r": "B"}, {"id": 1, "r": "A"}])
    assert replies(host) == [
        [{"id": 1, "r": "C"}],
        [{"id": None, "r": 5}, {"id": "x", "r": "B"}, {"id": 1, "r": "A"}],
    ]
    assert host.got == {}


def test_a_list_that_answers_no_batch_is_any_message() -> None:
    host, channel = ready(IDS_ONLY)
    ask(host, channel, {"id": 1})
    ask(host, channel, [{"id": 2}])
    host.receive([{"id": 1}, {"id": 9}, 5], [])
    assert (replies(host), len(host.got["c"])) == ([], 2)


def test_a_server_that_answers_only_the_first_of_a_batch_is_understood() -> None:
    host, channel = ready(IDS_ONLY)
    ask(host, channel, [{"id": 7}, {"id": 8}])
    host.receive({"id": 1, "error": "no batches"})
    assert replies(host) == [{"id": 7, "error": "no batches"}]


def test_a_batch_of_too_many_is_refused() -> None:
    host, channel = ready(IDS_ONLY)
    ask(host, channel, [{"id": n} for n in range(1000)])
    ask(host, channel, list(range(2000)))
    with pytest.raises(a.MessageRefused, match="a batch of over 1000 requests"):
        ask(host, channel, [{"id": n} for n in range(1001)])


def test_an_id_that_json_cannot_write_again_goes_as_it_stands() -> None:
    host, channel = ready(IDS_ONLY)
    out = host.session.let_out(host.session.wrap(channel, b'{"id": 1e999}', binary=False, reply="private"))
    assert out.payload == b'{"id": 1e999}'
