"""Where a token goes, and what happens where it is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.presets.cases import HOST, ROOM, TWITCH
from tests.presets.client import Client
from tests.presets.files import preset_file
from tests.presets.servers.actioncable import CableServer
from tests.presets.servers.appsync import AppSyncServer
from tests.presets.servers.base import ScriptedServer
from tests.presets.servers.centrifugo import CentrifugoServer
from tests.presets.servers.discord import DiscordGateway
from tests.presets.servers.graphql_transport_ws import GraphqlServer
from tests.presets.servers.home_assistant import HomeAssistantServer
from tests.presets.servers.mattermost import MattermostServer
from tests.presets.servers.nats import NatsServer
from tests.presets.servers.phoenix import PhoenixServer
from tests.presets.servers.pusher import PusherServer
from tests.presets.servers.signalr import HubServer
from tests.presets.servers.slack import SlackServer
from tests.presets.servers.socketio import SocketIoServer
from tests.presets.servers.stomp import Broker
from tests.presets.servers.twitch import TwitchServer

Make = Callable[..., Client]
URL = "wss://example.com/ws"
QUERY = {"query": "subscription { news }"}


@pytest.mark.parametrize(
    ("preset", "server", "values", "token", "verdict"),
    [
        ("graphql-transport-ws", lambda: GraphqlServer(needs_token=True), QUERY, "graphql", "reauth"),
        ("socket.io", lambda: SocketIoServer(needs_token=True), {}, "socketio", "reauth"),
        ("home-assistant", HomeAssistantServer, {}, "home_assistant", "reauth"),
        ("nats", lambda: NatsServer(needs_token=True), {"subject": "a"}, "nats", "reauth"),
        ("nats", lambda: NatsServer(needs_token=True), {"subject": "a", "user": "alice"}, "nats", "reauth"),
        ("centrifugo", lambda: CentrifugoServer(needs_token=True), {"channel": "news"}, "centrifugo", "stop"),
        ("actioncable", lambda: CableServer(needs_token=True), ROOM, "actioncable", "reauth"),
        ("stomp", Broker, {"destination": "/queue/a"}, "stomp", "reauth"),
        ("mattermost", MattermostServer, {}, "mattermost", "reauth"),
        ("discord", DiscordGateway, {"intents": 1}, "discord", "stop"),
        ("slack", SlackServer, {}, "slack", "stop"),
        ("appsync", AppSyncServer, {"host": HOST, **QUERY}, "appsync", "reauth"),
        ("twitch", TwitchServer, TWITCH, "twitch", "reauth"),
    ],
)
def test_a_token_that_is_refused_has_its_verdict_and_a_good_one_is_let_in(
    preset: str, server: Callable[[], ScriptedServer], values: Any, token: str, verdict: str, client: Make
) -> None:
    file = preset_file(preset, {"main": values}, tokens=(token,), url=None if preset in NO_URL else URL)
    one = client(file, server())
    one.tokens[token] = "stale"
    one.dial("main").advance(5)
    assert not one.members["main"].ready
    given = one.verdict or one.members["main"].verdict or one.on_close((one.closed or (0, ""))[0])
    assert given.action == verdict
    one.tokens[token] = "good"
    one.dial()
    assert one.members["main"].ready, one.reason


NO_URL = ("discord", "slack", "twitch")


@pytest.mark.parametrize(
    ("preset", "server", "values", "source", "name"),
    [
        ("phoenix", PhoenixServer, {"topic": "room:lobby"}, "phoenix", "token"),
        ("signalr", HubServer, {}, "signalr", "access_token"),
        ("actioncable", CableServer, ROOM, "actioncable", "token"),
    ],
)
def test_a_token_of_the_query_is_there_only_where_its_source_is_declared(
    preset: str, server: Callable[[], ScriptedServer], values: Any, source: str, name: str, client: Make
) -> None:
    scripted = server()
    client(preset_file(preset, {"main": values}, url=URL, tokens=(source,)), scripted).dial("main")
    client(preset_file(preset, {"main": values}, url=URL), scripted).dial("main")
    assert scripted.dialled[0].query[name] == "good"
    assert name not in scripted.dialled[1].query


def test_appsync_takes_a_key_or_a_token_in_the_url_and_in_each_subscription(client: Make) -> None:
    values = {"main": {"host": HOST, **QUERY}}
    for source in ("appsync_key", "appsync"):
        one = client(preset_file("appsync", values, url=URL, tokens=(source,)), AppSyncServer()).dial("main")
        assert one.members["main"].ready, one.reason


def test_centrifugo_refreshes_its_token_before_the_connection_expires(client: Make) -> None:
    server = CentrifugoServer(needs_token=True)
    server.ttl = 60
    one = client(
        preset_file("centrifugo", {"main": {"channel": "news"}}, url=URL, tokens=("centrifugo",)), server
    ).dial("main")
    one.advance(59)
    assert server.refreshed == []
    one.tokens["centrifugo"] = "next"
    one.advance(2)
    assert server.refreshed == ["next"]
    one.advance(60)
    assert len(server.refreshed) == 2
    assert one.verdict is None


def test_centrifugo_asks_for_another_token_where_its_own_is_expired(client: Make) -> None:
    server = CentrifugoServer(needs_token=True)
    one = client(preset_file("centrifugo", {"main": {"channel": "news"}}, url=URL, tokens=("centrifugo",)), server)
    one.tokens["centrifugo"] = "expired"
    one.dial("main")
    assert one.verdict is not None
    assert one.verdict.action == "reauth"


@pytest.mark.parametrize(
    ("error", "verdict"),
    [
        ("token_expired", "reauth"), ("token_revoked", "stop"), ("account_inactive", "stop"), ("missing_scope", "stop"),
        ("internal_error", "retry"), ("request_timeout", "retry"),
    ],
)  # fmt: skip
def test_slack_says_why_it_gives_no_url(error: str, verdict: str, client: Make) -> None:
    server = SlackServer()
    server.error = error
    one = client(preset_file("slack", {"main": {}}, tokens=("slack",)), server).dial("main")
    assert one.verdict is not None
    assert one.verdict.action == verdict
    assert server.dialled == []


@pytest.mark.parametrize("name", ["private-room", "presence-room"])
def test_pusher_has_private_and_presence_channels_signed_by_the_application(name: str, client: Make) -> None:
    server = PusherServer()
    values = {"channel": name, "auth": "https://app.example.com/pusher/auth"}
    one = client(preset_file("pusher", {"main": values}, url=URL, tokens=("pusher",)), server).dial("main")
    assert one.members["main"].ready, one.reason
    server.trigger(name, "client-typing", {"user": 7})
    one.advance(0)
    assert one.members["main"].shown[-1]["event"] == "client-typing"
    one.tokens["pusher"] = "stale"
    one.dial()
    assert one.members["main"].verdict is not None
    assert one.members["main"].verdict.action == "reauth"
