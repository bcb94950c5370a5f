"""What single protocols have of their own: acknowledgements, streams of bytes, targets, audio, stored events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.presets.client import Client
from tests.presets.files import preset_file
from tests.presets.servers.cdp import Browser
from tests.presets.servers.deepgram import DeepgramServer
from tests.presets.servers.jsonrpc import Node
from tests.presets.servers.nats import NatsServer
from tests.presets.servers.nostr import Relay
from tests.presets.servers.slack import SlackServer
from tests.presets.servers.stomp import Broker

Make = Callable[..., Client]
URL = "wss://example.com/ws"


def _action(one: Client, name: str = "main") -> str | None:
    verdict = one.verdict or one.members[name].verdict
    return None if verdict is None else verdict.action


# Slack


def test_slack_gets_its_acknowledgement_once_the_event_is_in_the_history(client: Make) -> None:
    server = SlackServer()
    one = client(preset_file("slack", {"main": {}}, tokens=("slack",)), server).dial("main")
    one.acknowledging = False
    server.event("e1", "hi")
    one.advance(0)
    assert server.acknowledged == []
    one.commit()
    assert server.acknowledged == ["e1"]
    server.event("e2", "hi", event_id="Eve1")  # sent again: the first acknowledgement was late
    one.advance(0)
    one.commit()
    assert server.acknowledged == ["e1", "e2"]
    assert len(one.members["main"].shown) == 1


@pytest.mark.parametrize(
    ("reason", "verdict"), [("warning", "replace"), ("refresh_requested", "replace"), ("link_disabled", "stop")]
)
def test_slack_asks_for_another_connection_or_for_none(reason: str, verdict: str, client: Make) -> None:
    server = SlackServer()
    one = client(preset_file("slack", {"main": {}}, tokens=("slack",)), server).dial("main")
    server.ask_to_go(reason)
    one.advance(0)
    assert _action(one) == verdict
    one.dial()
    assert server.tickets == 2
    assert one.members["main"].ready


def test_slack_lets_no_program_send(client: Make) -> None:
    one = client(preset_file("slack", {"main": {}}, tokens=("slack",)), SlackServer()).dial("main")
    with pytest.raises(Exception, match="allows no messages from programs"):
        one.send("main", {"envelope_id": "e1"})


# STOMP


@pytest.mark.parametrize("end_of_line", ["\n", "\r\n"])
def test_stomp_acknowledges_each_message_once_it_is_in_the_history(end_of_line: str, client: Make) -> None:
    server = Broker()
    server.end_of_line = end_of_line
    values = {"destination": "/queue/a", "ack": "client-individual"}
    one = client(preset_file("stomp", {"main": values}, url=URL), server).dial("main")
    one.acknowledging = False
    server.publish("/queue/a", "x")
    one.advance(0)
    assert server.unacknowledged == {"a1"}
    one.commit()
    assert server.unacknowledged == set()
    assert one.members["main"].shown == ["x"]


def test_stomp_does_without_receipts_where_the_broker_gives_none(client: Make) -> None:
    server = Broker()
    server.faults.add("no receipts")
    values = {"destination": "/topic/a", "receipt": False}
    one = client(preset_file("stomp", {"main": values}, url=URL), server).dial("main")
    assert one.members["main"].ready
    server.publish("/topic/a", "x\ny")
    one.advance(0)
    assert one.members["main"].shown == ["x\ny"]


def test_stomp_refuses_a_destination_and_closes(client: Make) -> None:
    server = Broker()
    channels = {"main": {"destination": "/queue/secret"}, "other": {"destination": "/queue/a"}}
    one = client(preset_file("stomp", channels, url=URL), server).dial("main")
    assert one.members["main"].verdict is not None
    assert one.members["main"].verdict.action == "stop"
    assert one.closed is not None


def test_stomp_sends_says_goodbye_and_logs_in(client: Make) -> None:
    server = Broker()
    values = {"destination": "/queue/a", "login": "alice"}
    one = client(preset_file("stomp", {"main": values}, url=URL, tokens=("stomp",)), server).dial("main")
    one.send("main", {"destination": "/queue/a", "body": "übung"})
    assert one.members["main"].shown == ["übung"]
    assert server.login == "alice"
    one.bye()
    assert one.over
    assert server.heard[-1][0] == "DISCONNECT"


@pytest.mark.parametrize("heart_beat", ["0,0", "60000,0"])
def test_stomp_awaits_no_beat_that_the_broker_did_not_promise(heart_beat: str, client: Make) -> None:
    server = Broker()
    server.heart_beat = heart_beat
    one = client(preset_file("stomp", {"main": {"destination": "/queue/a"}}, url=URL), server).dial("main")
    one.advance(300)
    assert _action(one) is None
    assert len(server.beats) == 30


# NATS


@pytest.mark.parametrize("size", [1, 7])
def test_nats_is_a_stream_whatever_its_frames(size: int, client: Make) -> None:
    server = NatsServer()
    server.pieces = size
    one = client(preset_file("nats", {"main": {"subject": "a.>", "queue": "q"}}, url=URL), server).dial("main")
    assert one.members["main"].ready
    for payload in ("", "MSG a.b 1 5", "one\r\ntwo"):
        server.publish("a.b.c", payload)
    one.advance(0)
    assert one.members["main"].got == [b"", b"MSG a.b 1 5", b"one\r\ntwo"]


def test_nats_is_ready_also_where_it_may_not_publish_to_its_inbox(client: Make) -> None:
    server = NatsServer()
    server.denied.add("_INBOX")
    one = client(preset_file("nats", {"main": {"subject": "a"}}, url=URL), server).dial("main")
    assert one.members["main"].ready


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ('INFO {"ldm":true}', "replace"), ("-ERR 'User Authentication Expired'", "reauth"),
        ("-ERR 'Stale Connection'", "retry"),
    ],
)  # fmt: skip
def test_nats_says_that_it_goes_or_that_we_must(line: str, verdict: str, client: Make) -> None:
    server = NatsServer()
    one = client(preset_file("nats", {"main": {"subject": "a"}}, url=URL), server).dial("main")
    server.write(f"{line}\r\n")
    one.advance(0)
    assert _action(one) == verdict


def test_nats_answers_a_ping(client: Make) -> None:
    server = NatsServer()
    one = client(preset_file("nats", {"main": {"subject": "a"}}, url=URL), server).dial("main")
    server.write("PING\r\n")
    one.advance(0)
    assert server.heard[-1] == ("PONG", "")


# Chrome DevTools


@pytest.mark.parametrize(
    ("values", "target"),
    [({}, "tab"), ({"target": "worker"}, "worker"), ({"url": "https://x"}, "new2"), ({"browser": True}, "browser")],
)
def test_devtools_attach_to_the_target_that_is_wanted(values: Any, target: str, client: Make) -> None:
    server = Browser()
    all_of_them = {"page": True, "network": True, "runtime": True, "log": True}
    one = client(preset_file("cdp", {"main": {**values, **all_of_them}}), server).dial("main")
    assert server.sessions == {"S1": target}
    assert {method for _, method in server.enabled} == {
        f"{one}.enable" for one in ("Page", "Network", "Runtime", "Log")
    }
    one.leave("main")
    assert ("new2" in dict(server.targets)) is False


def test_devtools_are_found_anew_after_the_browser_restarted(client: Make) -> None:
    server = Browser()
    server.base = "localhost:9333"
    one = client(preset_file("cdp", {"main": {"debugger": "http://localhost:9333"}}), server).dial("main")
    one.lose()
    server.guid = "second"
    one.dial()
    assert [dialled.url.rpartition("/")[2] for dialled in server.dialled] == ["first", "second"]
    assert one.members["main"].ready


def test_devtools_look_for_a_page_again_once_theirs_is_closed(client: Make) -> None:
    server = Browser()
    one = client(preset_file("cdp", {"main": {}, "other": {"browser": True}}), server).dial("main", "other")
    server.close_tab("S1")
    one.advance(0)
    assert (_action(one), _action(one, "other")) == ("retry", None)


# JSON-RPC


def test_jsonrpc_waits_where_the_node_has_too_many_and_takes_notifications_by_name(client: Make) -> None:
    server = Node()
    channels = {"main": {"params": ["many"]}, "named": {"method": "progress"}, "calls": {}}
    one = client(preset_file("jsonrpc", channels, url=URL), server).dial(*channels)
    server.say({"jsonrpc": "2.0", "method": "progress", "params": [1]})
    one.advance(0)
    assert _action(one) == "retry"
    assert [len(one.members[name].shown) for name in ("named", "calls")] == [1, 0]
    assert one.request("calls", {"method": "eth_blockNumber"})["result"] == "0x10"


# Nostr


def test_nostr_shows_what_is_stored_and_nothing_twice(client: Make) -> None:
    server = Relay()
    server.stored = [{"id": "a", "kind": 1}, {"id": "b", "kind": 1}]
    one = client(preset_file("nostr", {"main": {"filter": {"kinds": [1]}}}, url=URL), server).dial("main")
    one.lose()
    server.publish({"id": "c", "kind": 1})
    one.dial()
    assert [event["id"] for event in one.members["main"].shown] == ["a", "b", "c"]
    one.send("main", {"id": "d", "kind": 1})
    assert server.heard[-1] == ["EVENT", {"id": "d", "kind": 1}]


@pytest.mark.parametrize(
    ("reason", "verdict"), [("error: shutting down", "retry"), ("restricted: not for you", "stop"), ("", "retry")]
)
def test_nostr_closes_a_subscription_with_a_reason(reason: str, verdict: str, client: Make) -> None:
    server = Relay()
    one = client(preset_file("nostr", {"main": {"filter": {"kinds": [1]}}}, url=URL), server).dial("main")
    server.close_all(reason)
    one.advance(0)
    assert _action(one) == verdict
    failed = client(preset_file("nostr", {"main": {"filter": {"kinds": [5]}}}, url=URL), Relay()).dial("main")
    assert _action(failed) == "retry"


# Deepgram


def test_deepgram_takes_audio_is_kept_alive_without_it_and_brings_the_last_results(client: Make) -> None:
    server = DeepgramServer()
    one = client(preset_file("deepgram", {"main": {}}, tokens=("deepgram",)), server).dial("main")
    opened = one.clock.now
    for _ in range(8):
        one.advance(1)
        one.send("main", b"\x00\x01")
    one.advance(11)
    assert server.audio == b"\x00\x01" * 8
    assert [at - opened for at in server.kept] == [13, 18]
    one.send("main", {"type": "Finalize"})
    one.bye()
    assert one.over
    texts = [one["channel"]["alternatives"][0]["transcript"] for one in one.members["main"].shown if "channel" in one]
    assert texts == ["so far", "the end"]
    assert one.members["main"].shown[-1]["type"] == "Metadata"
