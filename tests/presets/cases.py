"""Each preset with its server, and what is promised of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.presets.files import preset_file
from tests.presets.servers.actioncable import CableServer
from tests.presets.servers.appsync import AppSyncServer
from tests.presets.servers.cdp import Browser
from tests.presets.servers.centrifugo import CentrifugoServer
from tests.presets.servers.deepgram import DeepgramServer
from tests.presets.servers.discord import DiscordGateway
from tests.presets.servers.graphql_transport_ws import GraphqlServer
from tests.presets.servers.home_assistant import HomeAssistantServer
from tests.presets.servers.json_feed import Feed
from tests.presets.servers.jsonrpc import Node
from tests.presets.servers.mattermost import MattermostServer
from tests.presets.servers.nats import NatsServer
from tests.presets.servers.nostr import Relay
from tests.presets.servers.phoenix import PhoenixServer
from tests.presets.servers.pusher import PusherServer
from tests.presets.servers.signalr import HubServer
from tests.presets.servers.slack import SlackServer
from tests.presets.servers.socketio import SocketIoServer
from tests.presets.servers.stomp import Broker
from tests.presets.servers.twitch import TwitchServer

__all__ = ["CASES", "Case"]


@dataclass(frozen=True)
class Case:
    """A preset, and what is promised of it."""

    preset: str
    server: Callable[[], Any]
    values: Mapping[str, Any]
    """``with`` of the channel."""
    publish: Callable[[Any], None]
    """What the server does to send a message to the channel."""
    shown: Any
    """What readers get of it."""
    url: str | None = "wss://example.com/ws"
    tokens: tuple[str, ...] = ()
    closes: Mapping[int, str] = field(default_factory=dict)
    """The verdict on each of the protocol's close codes."""
    noticed: float | None = None
    """Seconds after which a server that fell silent is noticed at the latest; None: pings of the wire do that."""
    trusted: float | None = None
    """Seconds for which it is not; None: two fifths of those."""
    waits: bool = True
    """Whether there is an answer to wait for before the channel is ready."""
    request: tuple[Any, Any] | None = None
    """What a program asks, and what of the reply must be there."""
    refused: tuple[Mapping[str, Any], str] | None = None
    """``with`` of a channel that is refused, and the verdict."""
    gone: Callable[[Any], bool] | None = None
    """Whether the server has forgotten the subscription."""

    def file(self, *others: Mapping[str, Any], **endpoint: Any) -> str:
        """The file with this channel as ``main``, and others as ``other1``, ``other2``."""
        channels = {"main": self.values, **{f"other{at}": one for at, one in enumerate(others, 1)}}
        return preset_file(self.preset, channels, url=self.url, tokens=self.tokens, **endpoint)


ROOM = {"identifier": {"channel": "RoomChannel", "id": 7}}
TWITCH = {"client_id": "client", "type": "channel.follow", "version": "2", "condition": {"broadcaster_user_id": "1"}}
HOST = "id.appsync-api.eu-west-1.amazonaws.com"

# fmt: off
CASES = [
    Case(
        "graphql-transport-ws", GraphqlServer, {"query": "subscription { news }"},
        lambda server: server.publish("news", {"news": 1}), {"data": {"news": 1}},
        closes={
            4400: "stop", 4401: "retry", 4403: "reauth", 4406: "stop", 4408: "retry", 4409: "stop", 4429: "stop",
            4500: "stop", 1001: "retry", 1006: "retry", 1012: "retry",
        },
        noticed=36, request=({"query": "query { answer }"}, {"data": {"answer": 42}}),
        refused=({"query": "subscription { unknown }"}, "stop"), gone=lambda server: not server.operations,
    ),
    Case(
        "socket.io", SocketIoServer, {"event": "news"}, lambda server: server.emit("news", {"id": 1}),
        ["news", {"id": 1}], url="wss://example.com/socket.io/", closes={1006: "retry", 1000: "retry"}, noticed=45,
        request=(["ask", 1], ["seen", "ask", 1]),
    ),
    Case(
        "json-subscribe", Feed,
        {"subscribe": {"op": "subscribe", "channel": "news"}, "unsubscribe": {"op": "unsubscribe", "channel": "news"}},
        lambda server: server.say({"channel": "news", "id": 1}), {"channel": "news", "id": 1},
        closes={1006: "retry"}, waits=False, gone=lambda server: not server.subscribed,
    ),
    Case(
        "home-assistant", HomeAssistantServer, {"event": "state_changed"},
        lambda server: server.fire("state_changed", 1), {"event_type": "state_changed", "data": 1},
        tokens=("home_assistant",), closes={1006: "retry", 1000: "retry"}, noticed=41,
        request=({"type": "get_states"}, {"type": "result", "success": True}),
        refused=({"event": "secret"}, "stop"), gone=lambda server: not server.subscriptions,
    ),
    Case(
        "cdp", Browser, {"network": True}, lambda server: server.event("S1", "Network.requestWillBeSent", id=1),
        {"method": "Network.requestWillBeSent", "params": {"id": 1}, "sessionId": "S1"}, url=None,
        closes={1006: "retry"}, waits=False, request=({"method": "Page.reload"}, {"result": {}, "sessionId": "S1"}),
        refused=({"target": "gone"}, "stop"), gone=lambda server: not server.sessions,
    ),
    Case(
        "jsonrpc", Node, {"params": ["newHeads"]}, lambda server: server.notify("0x1", {"number": 1}), {"number": 1},
        closes={1006: "retry"}, request=({"method": "eth_blockNumber"}, {"result": "0x10"}),
        refused=({"params": ["unknown"]}, "stop"), gone=lambda server: not server.subscriptions,
    ),
    Case(
        "nats", NatsServer, {"subject": "orders.*"}, lambda server: server.publish("orders.new", "übung\r\n{}"),
        "übung\r\n{}", closes={1006: "retry"}, noticed=71, waits=False,
        request=({"subject": "svc.echo", "data": "ping"}, "echo ping"), refused=({"subject": "secret"}, "stop"),
        gone=lambda server: "orders.*" not in server.subscriptions.values(),
    ),
    Case(
        "phoenix", PhoenixServer, {"topic": "room:lobby"},
        lambda server: server.push("room:lobby", "new", {"id": 1}), [None, None, "room:lobby", "new", {"id": 1}],
        closes={1006: "retry", 1000: "retry"}, noticed=41,
        request=({"event": "ask", "payload": {}}, ["phx_reply", "seen"]), refused=({"topic": "room:secret"}, "stop"),
        gone=lambda server: not server.joined,
    ),
    Case(
        "discord", DiscordGateway, {"intents": 513, "event": "MESSAGE_CREATE"},
        lambda server: server.dispatch("MESSAGE_CREATE", {"id": "1"}),
        {"op": 0, "s": 2, "t": "MESSAGE_CREATE", "d": {"id": "1"}}, url=None, tokens=("discord",),
        closes={
            4000: "retry", 4001: "retry", 4002: "retry", 4003: "fresh", 4004: "stop", 4005: "retry", 4007: "fresh",
            4008: "retry", 4009: "fresh", 4010: "stop", 4011: "stop", 4012: "stop", 4013: "stop", 4014: "stop",
            1006: "retry",
        },
        noticed=52, trusted=0,
    ),
    Case(
        "slack", SlackServer, {}, lambda server: server.event(f"e{server.tickets}", "hi"),
        {"type": "event_callback", "event_id": "Eve1", "event": {"type": "message", "text": "hi"}},
        url=None, tokens=("slack",), closes={1006: "retry", 1000: "retry"},
    ),
    Case(
        "centrifugo", CentrifugoServer, {"channel": "news"}, lambda server: server.publish("news", {"id": 1}),
        {"id": 1},
        closes={
            3000: "retry", 3001: "retry", 3005: "reauth", 3499: "retry", 3500: "stop", 3999: "stop", 4000: "retry",
            4499: "retry", 4500: "stop", 4999: "stop", 1006: "retry",
        },
        noticed=36, request=({"id": 2}, {"publish": {}}), refused=({"channel": "secret"}, "stop"),
        gone=lambda server: not server.subscribed,
    ),
    Case(
        "pusher", PusherServer, {"channel": "news"}, lambda server: server.trigger("news", "new", {"id": 1}),
        {"event": "new", "channel": "news", "data": json.dumps({"id": 1})},
        closes={
            4000: "stop", 4009: "stop", 4099: "stop", 4100: "retry", 4199: "retry", 4200: "reconnect",
            4299: "reconnect", 1006: "retry",
        },
        noticed=151, refused=({"channel": "private-x"}, "stop"), gone=lambda server: not server.channels,
    ),
    Case(
        "actioncable", CableServer, ROOM, lambda server: server.broadcast("RoomChannel", {"id": 1}), {"id": 1},
        closes={1006: "retry", 1000: "retry"}, noticed=6.1,
        refused=({"identifier": {"channel": "SecretChannel"}}, "stop"), gone=lambda server: not server.identifiers,
    ),
    Case(
        "signalr", HubServer, {"target": "News"}, lambda server: server.call("News", 1),
        {"type": 1, "target": "News", "arguments": [1]}, closes={1006: "retry", 1000: "retry"}, noticed=30.1,
        request=({"target": "Echo", "arguments": [7]}, {"type": 3, "result": [7]}),
        refused=({"join": "JoinSecret"}, "stop"),
    ),
    Case(
        "stomp", Broker, {"destination": "/queue/news"}, lambda server: server.publish("/queue/news", '{"id":1}'),
        {"id": 1}, closes={1006: "retry", 1000: "retry"}, noticed=31, gone=lambda server: not server.subscriptions,
    ),
    Case(
        "mattermost", MattermostServer, {"event": "posted"}, lambda server: server.event("posted", id=1),
        {"event": "posted", "data": {"id": 1}, "broadcast": {}, "seq": 1}, tokens=("mattermost",),
        closes={1006: "retry", 1000: "retry"}, noticed=41, request=({"action": "get_statuses"}, {"status": "OK"}),
    ),
    Case(
        "twitch", TwitchServer, TWITCH, lambda server: server.notify("channel.follow", {"user": "a"}), {"user": "a"},
        url=None, tokens=("twitch",),
        closes={
            4000: "retry", 4001: "stop", 4002: "retry", 4003: "retry", 4004: "reconnect", 4005: "reconnect",
            4006: "reconnect", 4007: "fresh", 1006: "retry",
        },
        noticed=15.1, refused=({**TWITCH, "type": "channel.unknown"}, "retry"),
        gone=lambda server: not server.subscriptions,
    ),
    Case(
        "nostr", Relay, {"filter": {"kinds": [1]}},
        lambda server: server.publish({"id": f"e{len(server.stored)}", "kind": 1}),
        {"id": "e0", "kind": 1}, closes={1006: "retry", 1000: "retry"}, refused=({"filter": {"kinds": [4]}}, "stop"),
        request=({"id": "e9", "kind": 1}, ["OK", "e9", True, ""]),
        gone=lambda server: not server.subscriptions,
    ),
    Case(
        "deepgram", DeepgramServer, {}, lambda server: server.result("hello"),
        {"type": "Results", "channel": {"alternatives": [{"transcript": "hello"}]}}, url=None, tokens=("deepgram",),
        closes={1008: "stop", 1011: "retry", 1006: "retry"}, waits=False,
    ),
    Case(
        "appsync", AppSyncServer, {"host": HOST, "query": "subscription { onCreate { id } }"},
        lambda server: server.publish({"id": 1}), {"data": {"id": 1}}, tokens=("appsync_key",),
        closes={1006: "retry", 1000: "retry"}, noticed=301,
        refused=({"host": HOST, "query": "subscription { unknown }"}, "stop"),
        gone=lambda server: not server.operations,
    ),
]
# fmt: on
