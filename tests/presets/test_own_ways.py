"""What single protocols have of their own: crashes of a channel, events by name, namespaces, goodbyes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.presets.client import Client
from tests.presets.files import preset_file
from tests.presets.servers.actioncable import CableServer
from tests.presets.servers.centrifugo import CentrifugoServer
from tests.presets.servers.graphql_transport_ws import GraphqlServer
from tests.presets.servers.home_assistant import HomeAssistantServer
from tests.presets.servers.phoenix import PhoenixServer
from tests.presets.servers.pusher import PusherServer
from tests.presets.servers.signalr import HubServer
from tests.presets.servers.socketio import SocketIoServer
from wscli.errors import NotSent

Make = Callable[..., Client]
URL = "wss://example.com/ws"


def _action(one: Client, name: str = "main") -> str | None:
    verdict = one.verdict or one.members[name].verdict
    return None if verdict is None else verdict.action


# GraphQL


@pytest.mark.parametrize(
    ("message", "verdict"),
    [({"type": "complete"}, "done"), ({"type": "error", "payload": [{"message": "no"}]}, "stop")],
)
def test_graphql_ends_one_operation_and_no_other(message: Any, verdict: str, client: Make) -> None:
    server = GraphqlServer()
    channels = {"main": {"query": "subscription { one }"}, "other": {"query": "subscription { two }"}}
    one = client(preset_file("graphql-transport-ws", channels, url=URL), server).dial("main", "other")
    server.say({"id": next(iter(server.operations)), **message})
    server.publish("two", 2)
    one.advance(0)
    assert _action(one) == verdict
    assert one.members["other"].shown == [{"data": 2}]


def test_graphql_answers_a_ping_and_sends_the_variables(client: Make) -> None:
    server = GraphqlServer()
    values = {"query": "subscription Q($a: Int) { news }", "variables": {"a": 1}, "operationName": "Q"}
    one = client(preset_file("graphql-transport-ws", {"main": values}, url=URL), server).dial("main")
    assert next(iter(server.operations.values())) == values
    server.say({"type": "ping"})
    one.advance(0)
    assert server.heard[-1] == {"type": "pong"}


@pytest.mark.parametrize("message", ["{ news }", {"operationName": "Q"}, [1]])
def test_graphql_without_a_query_is_not_sent_since_the_server_would_close_for_all(message: Any, client: Make) -> None:
    one = client(
        preset_file("graphql-transport-ws", {"main": {"query": "subscription { one }"}}, url=URL), GraphqlServer()
    )
    one.dial("main")
    with pytest.raises(NotSent, match="has no value"):
        one.send("main", message)


# Socket.IO


def test_socket_io_connects_to_a_namespace_and_takes_its_events_alone(client: Make) -> None:
    server = SocketIoServer()
    one = client(preset_file("socket.io", {"main": {"namespace": "/admin"}}, url=URL), server).dial("main")
    server.emit("seen", 1, namespace="/admin")
    one.advance(0)
    assert server.namespaces == {"/admin"}
    assert one.members["main"].shown == [["seen", 1]]
    for server.unknown in ('{"message":"Invalid namespace"}', '"Unable to connect"'):
        one = client(preset_file("socket.io", {"main": {"namespace": "/none"}}, url=URL), server).dial("main")
        assert _action(one) == "stop"


@pytest.mark.parametrize("message", ["join", {"event": "join"}, 5])
def test_what_is_no_list_is_not_sent_to_a_server_that_would_close_for_it(message: Any, client: Make) -> None:
    one = client(preset_file("socket.io", {"main": {}}, url=URL), SocketIoServer()).dial("main")
    with pytest.raises(NotSent, match="does not fit its filter"):
        one.send("main", message)
    one = client(preset_file("signalr", {"main": {}}, url=URL), HubServer()).dial("main")
    with pytest.raises(NotSent, match="does not fit its filter"):
        one.send("main", {"target": "Send", "arguments": message})


def test_socket_io_shows_an_event_without_its_attachments(client: Make) -> None:
    server = SocketIoServer()
    one = client(preset_file("socket.io", {"main": {"event": "pic"}}, url=URL), server).dial("main")
    server.line.send('451-["pic",{"_placeholder":true,"num":0},"cat"]')
    server.line.send(b"\x89PNG")
    server.emit("pic", "text")
    one.advance(0)
    assert one.members["main"].shown == [["pic", {"_placeholder": True, "num": 0}, "cat"], ["pic", "text"]]


def test_socket_io_channels_of_one_connection_get_their_events(client: Make) -> None:
    server = SocketIoServer()
    channels = {"main": {"event": "a", "emit": ["join", "room"], "leave": ["leave", "room"]}, "b": {"event": "b"}}
    one = client(preset_file("socket.io", {**channels, "all": {}}, url=URL), server).dial("main", "b", "all")
    for event in ("a", "b", "c"):
        server.emit(event)
    one.advance(0)
    assert [one.members[name].shown for name in ("main", "b", "all")] == [[["a"]], [["b"]], [["a"], ["b"], ["c"]]]
    one.leave("main")
    events = [message for message in server.heard if message.startswith("42")]
    assert events == ['42/,["join","room"]', '42/,["leave","room"]']


@pytest.mark.parametrize(("packet", "verdict"), [("41", "stop"), ("1", "reconnect")])
def test_socket_io_is_told_to_go(packet: str, verdict: str, client: Make) -> None:
    server = SocketIoServer()
    one = client(preset_file("socket.io", {"main": {}}, url=URL), server).dial("main")
    server.line.send(packet)
    one.advance(0)
    assert _action(one) == verdict


def test_socket_io_answers_each_ping_at_once(client: Make) -> None:
    server = SocketIoServer()
    one = client(preset_file("socket.io", {"main": {}}, url=URL), server).dial("main")
    opened = one.clock.now
    one.advance(51)
    assert [at - opened for at in server.pongs] == [25, 50]


# Home Assistant


def test_home_assistant_subscribes_to_a_trigger_beside_events(client: Make) -> None:
    server = HomeAssistantServer()
    channels = {"main": {}, "door": {"trigger": {"platform": "state", "entity_id": "binary_sensor.door"}}}
    file = preset_file("home-assistant", channels, url=URL, tokens=("home_assistant",))
    one = client(file, server).dial("main", "door")
    server.fire("any_event", 1)
    one.advance(0)
    assert one.members["main"].shown == [{"event_type": "any_event", "data": 1}]
    assert one.members["door"].shown == [{"variables": {"trigger": 1}}]
    one.leave("door")
    assert [message["type"] for message in server.subscriptions.values()] == ["subscribe_events"]


# Phoenix


def test_phoenix_joins_with_a_payload_and_takes_one_event_where_it_is_named(client: Make) -> None:
    server = PhoenixServer()
    channels = {"main": {"topic": "room:1", "payload": {"user": 7}, "event": "new"}, "all": {"topic": "room:2"}}
    one = client(preset_file("phoenix", channels, url=URL), server).dial("main", "all")
    for topic in ("room:1", "room:2", "room:3"):
        server.push(topic, "old", {})
        server.push(topic, "new", {})
    one.advance(0)
    assert server.payloads == [{"user": 7}, {}]
    assert [message[3] for message in one.members["main"].shown] == ["new"]
    assert [message[3] for message in one.members["all"].shown] == ["old", "new"]


def test_phoenix_joins_again_after_a_crash_and_is_done_after_a_close(client: Make) -> None:
    server = PhoenixServer()
    channels = {"main": {"topic": "room:1"}, "other": {"topic": "room:2"}, "third": {"topic": "room:3"}}
    one = client(preset_file("phoenix", channels, url=URL), server).dial(*channels)
    server.crash("room:1")
    server.close_topic("room:2")
    one.advance(0)
    assert (_action(one), _action(one, "other"), _action(one, "third")) == ("retry", "done", None)


def test_phoenix_joins_later_where_the_server_is_to_blame(client: Make) -> None:
    one = client(preset_file("phoenix", {"main": {"topic": "room:broken"}}, url=URL), PhoenixServer()).dial("main")
    assert _action(one) == "retry"


def test_a_phoenix_topic_that_the_server_does_not_know_is_failed_at_once(client: Make) -> None:
    one = client(preset_file("phoenix", {"main": {"topic": "rom:1"}}, url=URL), PhoenixServer()).dial("main")
    assert _action(one) == "stop"


# Action Cable


@pytest.mark.parametrize(
    ("message", "verdict"),
    [
        ({"reason": "server_restart", "reconnect": True}, "retry"),
        ({"reason": "remote", "reconnect": False}, "stop"),
    ],
)
def test_action_cable_says_whether_to_come_back(message: Any, verdict: str, client: Make) -> None:
    server = CableServer()
    one = client(preset_file("actioncable", {"main": {"identifier": {"channel": "A"}}}, url=URL), server).dial("main")
    server.say({"type": "disconnect", **message})
    one.advance(0)
    assert _action(one) == verdict


def test_action_cable_stays_away_where_it_is_not_let_in_and_has_no_token_to_change(client: Make) -> None:
    file = preset_file("actioncable", {"main": {"identifier": {"channel": "A"}}}, url=URL)
    assert _action(client(file, CableServer(needs_token=True)).dial("main")) == "stop"


def test_action_cable_performs_an_action(client: Make) -> None:
    server = CableServer()
    one = client(preset_file("actioncable", {"main": {"identifier": {"channel": "A"}}}, url=URL), server).dial("main")
    one.send("main", {"action": "speak", "text": "hi"})
    assert one.members["main"].shown == [{"heard": {"action": "speak", "text": "hi"}}]


# Centrifugo and Pusher


@pytest.mark.parametrize(("code", "verdict"), [(2000, "stop"), (2500, "reconnect"), (2501, "reconnect")])
def test_centrifugo_unsubscribes_for_good_or_for_now(code: int, verdict: str, client: Make) -> None:
    server = CentrifugoServer()
    one = client(preset_file("centrifugo", {"main": {"channel": "news"}}, url=URL), server).dial("main")
    server.unsubscribe("news", code)
    one.advance(0)
    assert _action(one) == verdict


def test_centrifugo_puts_several_messages_into_a_frame(client: Make) -> None:
    server = CentrifugoServer()
    one = client(preset_file("centrifugo", {"main": {"channel": "news"}}, url=URL), server).dial("main")
    pushes = [{"push": {"channel": "news", "pub": {"data": at, "offset": at}}} for at in (1, 2)]
    server.say_at_once(pushes[0], {}, pushes[1])
    one.advance(0)
    assert one.members["main"].shown == [1, 2]
    assert len(server.pongs) == 1


def test_centrifugo_is_asked_again_where_it_has_a_fault_of_its_own(client: Make) -> None:
    one = client(preset_file("centrifugo", {"main": {"channel": "busy"}}, url=URL), CentrifugoServer()).dial("main")
    assert _action(one) == "retry"


@pytest.mark.parametrize(("code", "verdict"), [(4001, "stop"), (4100, "retry"), (4201, "reconnect")])
def test_pusher_refuses_a_connection_with_a_code(code: int, verdict: str, client: Make) -> None:
    server = PusherServer()
    server.faults.add("mute")
    one = client(preset_file("pusher", {"main": {"channel": "news"}}, url=URL), server).dial("main")
    server.say({"event": "pusher:error", "data": {"code": code, "message": "no"}})
    one.advance(0)
    assert _action(one) == verdict


def test_pusher_knows_an_error_as_laravel_reverb_writes_it(client: Make) -> None:
    server = PusherServer()
    server.faults.add("mute")
    one = client(preset_file("pusher", {"main": {"channel": "news"}}, url=URL), server).dial("main")
    server.say({"event": "pusher:error", "data": '{"code":4001,"message":"Application does not exist"}'})
    one.advance(0)
    assert _action(one) == "stop"


# SignalR


@pytest.mark.parametrize(
    ("message", "verdict"),
    [({"allowReconnect": True}, "reconnect"), ({"error": "fault"}, "stop"), ({}, "done")],
)
def test_signalr_closes_with_a_message(message: Any, verdict: str, client: Make) -> None:
    server = HubServer()
    one = client(preset_file("signalr", {"main": {}}, url=URL), server).dial("main")
    server.say({"type": 7, **message})
    one.advance(0)
    assert _action(one) == verdict


def test_signalr_joins_leaves_and_pings(client: Make) -> None:
    server = HubServer()
    values = {"target": "News", "join": "Join", "arguments": ["42"], "leave": "Leave"}
    one = client(preset_file("signalr", {"main": values, "all": {}}, url=URL), server).dial("main", "all")
    server.call("Other", 1)
    server.call("News", 2)
    one.advance(31)
    assert [len(one.members[name].shown) for name in ("main", "all")] == [1, 2]
    assert len(server.pings) == 2
    one.leave("main")
    assert [one["target"] for one in server.heard if one.get("type") == 1] == ["Join", "Leave"]


def test_signalr_refuses_the_protocol(client: Make) -> None:
    server = HubServer()
    server.faults.add("refuse")
    assert _action(client(preset_file("signalr", {"main": {}}, url=URL), server).dial("main")) == "stop"
