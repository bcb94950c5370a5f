"""Sessions that are taken up again: what was missed arrives, and only what cannot is a gap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.presets.cases import TWITCH
from tests.presets.client import Client
from tests.presets.files import preset_file
from tests.presets.servers.centrifugo import CentrifugoServer
from tests.presets.servers.discord import DiscordGateway
from tests.presets.servers.mattermost import MattermostServer
from tests.presets.servers.twitch import TwitchServer

Make = Callable[..., Client]
URL = "wss://example.com/ws"
DISCORD = preset_file("discord", {"main": {"intents": 1}}, tokens=("discord",))
MATTERMOST = preset_file("mattermost", {"main": {}}, url=URL, tokens=("mattermost",))


def _got(one: Client, *path: str) -> list[Any]:
    found = []
    for message in one.members["main"].shown:
        for key in path:
            message = message[key]
        found.append(message)
    return found


# Discord


def test_discord_resumes_at_the_url_that_it_was_given_and_gets_what_it_missed(client: Make) -> None:
    server = DiscordGateway()
    one = client(DISCORD, server).dial("main")
    assert server.dialled[0].url == "wss://gateway.discord.gg/"
    server.dispatch("A", {})
    one.advance(1)
    one.lose()
    server.dispatch("B", {})
    one.dial()
    assert server.dialled[1].url == "wss://gateway-us-east1-b.discord.gg/"
    assert [message["op"] for message in server.heard] == [6]
    assert one.resumed
    assert one.members["main"].resumed
    assert _got(one, "t")[:3] == ["READY", "A", "B"]


def test_discord_begins_anew_where_the_session_is_gone(client: Make) -> None:
    server = DiscordGateway()
    one = client(DISCORD, server).dial("main")
    one.lose()
    server.sessions.clear()
    one.dial()
    assert one.verdict is not None
    assert one.verdict.action == "fresh"
    one.memory.forget()
    one.dial()
    assert [message["op"] for message in server.heard] == [2]
    assert not one.resumed


def test_discord_is_closed_by_us_in_a_way_that_keeps_the_session(client: Make) -> None:
    server = DiscordGateway()
    one = client(DISCORD, server).dial("main")
    server.say({"op": 7, "d": None})
    one.advance(0)
    assert one.verdict is not None
    assert one.verdict.action == "reconnect"
    one.hang_up()
    assert server.close_codes == [4000]
    one.dial()
    assert one.resumed


@pytest.mark.parametrize(("resumable", "verdict"), [(True, "reconnect"), (False, "fresh")])
def test_discord_says_whether_an_invalid_session_can_be_resumed(resumable: bool, verdict: str, client: Make) -> None:
    server = DiscordGateway()
    one = client(DISCORD, server).dial("main")
    server.say({"op": 9, "d": resumable})
    one.advance(0)
    assert one.verdict is not None
    assert one.verdict.action == verdict


def test_discord_beats_with_the_last_number_first_after_a_random_part_of_the_interval(client: Make) -> None:
    server = DiscordGateway()
    one = client(DISCORD, server).dial("main")
    opened = one.clock.now
    one.advance(server.interval)
    assert 0 <= server.beats[0][0] - opened < server.interval
    assert server.beats[0][1] == 1
    server.dispatch("A", {})
    one.advance(server.interval)
    assert server.beats[1][0] - server.beats[0][0] == pytest.approx(server.interval)
    assert server.beats[1][1] == 2
    server.say({"op": 1, "d": None})
    before = len(server.beats)
    one.advance(0)
    assert len(server.beats) == before + 1


# Mattermost


def test_mattermost_resumes_its_connection_and_counts_on(client: Make) -> None:
    server = MattermostServer()
    one = client(MATTERMOST, server).dial("main")
    server.event("posted", id=1)
    one.advance(1)
    one.lose()
    server.event("posted", id=2)
    one.dial()
    assert server.dialled[1].query == {"connection_id": "c1", "sequence_number": "2"}
    assert one.resumed
    assert [event["data"].get("id") for event in one.members["main"].shown] == [1, 2]
    assert one.members["main"].gaps == []


def test_mattermost_resumes_a_connection_on_which_nothing_was_missed(client: Make) -> None:
    server = MattermostServer()
    one = client(MATTERMOST, server).dial("main")
    one.lose()
    one.dial()
    assert one.resumed
    assert one.members["main"].ready


def test_mattermost_begins_anew_where_the_server_says_hello(client: Make) -> None:
    server = MattermostServer()
    one = client(MATTERMOST, server).dial("main")
    one.lose()
    server.connections.clear()
    one.dial()
    assert one.verdict is not None
    assert one.verdict.action == "fresh"
    one.memory.forget()
    one.dial()
    assert "connection_id" not in server.dialled[-1].query
    assert one.members["main"].ready
    assert not one.resumed


def test_mattermost_counts_what_is_lost_on_the_way(client: Make) -> None:
    server = MattermostServer()
    one = client(MATTERMOST, server).dial("main")
    server.lose_event()
    server.lose_event()
    server.event("posted", id=1)
    one.advance(0)
    assert one.members["main"].gaps == [("skipped", 2)]


# Centrifugo


def test_centrifugo_recovers_what_was_published_meanwhile(client: Make) -> None:
    server = CentrifugoServer()
    one = client(preset_file("centrifugo", {"main": {"channel": "news"}}, url=URL), server).dial("main")
    server.publish("news", 1)
    one.advance(1)
    one.lose()
    server.publish("news", 2)
    server.publish("news", 3)
    one.dial()
    member = one.members["main"]
    assert (member.ready, member.resumed) == (True, True)
    assert member.shown == [1, 2, 3]
    server.publish("news", 4)
    one.advance(0)
    one.lose()
    one.dial()
    assert member.shown == [1, 2, 3, 4]
    assert member.resumed


def test_centrifugo_goes_on_with_a_gap_where_the_stream_is_gone(client: Make) -> None:
    server = CentrifugoServer()
    one = client(preset_file("centrifugo", {"main": {"channel": "news"}}, url=URL), server).dial("main")
    one.lose()
    server.epoch = "E2"
    one.dial()
    assert one.members["main"].ready
    assert not one.members["main"].resumed
    assert one.members["main"].kept["epoch"] == "E2"


# Twitch


def test_twitch_moves_to_the_url_that_it_is_given_and_keeps_its_subscriptions(client: Make) -> None:
    server = TwitchServer()
    one = client(preset_file("twitch", {"main": TWITCH}, tokens=("twitch",)), server).dial("main")
    server.ask_to_go()
    one.advance(0)
    assert one.verdict is not None
    assert one.verdict.action == "replace"
    one.dial()
    assert server.dialled[1].url.startswith("wss://cell-b.eventsub.wss.twitch.tv/ws?challenge=x")
    assert one.members["main"].ready
    assert server.made == 1
    server.notify("channel.follow", {"user": "b"})
    one.advance(0)
    assert one.members["main"].shown[-1] == {"user": "b"}
    one.lose()
    one.dial()
    assert server.dialled[2].url == "wss://eventsub.wss.twitch.tv/ws"
    assert server.made == 2


def test_twitch_leaves_out_what_it_sends_twice(client: Make) -> None:
    server = TwitchServer()
    one = client(preset_file("twitch", {"main": TWITCH}, tokens=("twitch",)), server).dial("main")
    server.notify("channel.follow", {"user": "a"}, "same")
    server.notify("channel.follow", {"user": "a"}, "same")
    one.advance(0)
    assert one.members["main"].shown == [{"user": "a"}]


def test_twitch_stops_a_channel_whose_subscription_is_revoked(client: Make) -> None:
    server = TwitchServer()
    one = client(
        preset_file("twitch", {"main": TWITCH, "other": {**TWITCH, "type": "channel.ban"}}, tokens=("twitch",)), server
    ).dial("main", "other")
    server.revoke("sub1")
    one.advance(0)
    assert one.members["main"].verdict is not None
    assert one.members["main"].verdict.action == "stop"
    assert one.members["other"].verdict is None
