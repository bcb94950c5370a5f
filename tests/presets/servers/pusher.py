"""Pusher Channels, protocol 7, from pusher.com's page on the WebSocket protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from tests.presets.servers.base import Dialled, ScriptedServer


class PusherServer(ScriptedServer):
    activity = 120

    def on_open(self, dialled: Dialled) -> None:
        assert dialled.query["protocol"] == "7"
        self.channels: set[str] = set()
        self.pings: list[float] = []
        if "mute" not in self.faults:
            data = json.dumps({"socket_id": "1.2", "activity_timeout": self.activity})
            self.say({"event": "pusher:connection_established", "data": data})

    def on_http(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, Any]:
        assert (method, url) == ("POST", "https://app.example.com/pusher/auth")
        form = parse_qs((body or b"").decode())
        if not self.bearer(headers):
            return 403, {}
        answer = {"auth": f"key:{form['socket_id'][0]}:{form['channel_name'][0]}"}
        return 200, answer | ({"channel_data": '{"user_id":"7"}'} if "presence" in form["channel_name"][0] else {})

    def on_message(self, message: Any) -> None:
        event, data = message["event"], message["data"]
        if event == "pusher:ping":
            self.pings.append(self.line.now())
            if "deaf" not in self.faults:
                self.say({"event": "pusher:pong", "data": "{}"})
        elif event == "pusher:subscribe":
            self._subscribe(data)
        elif event == "pusher:unsubscribe":
            self.channels.remove(data["channel"])
        elif event != "pusher:pong":
            assert event.startswith("client-")
            assert message["channel"] in self.channels

    def _subscribe(self, data: Any) -> None:
        name = data["channel"]
        private = name.startswith(("private-", "presence-"))
        refused = private and data.get("auth") != f"key:1.2:{name}"
        if refused or ("presence" in name and "channel_data" not in data):
            error = {"type": "AuthError", "error": "invalid signature", "status": 401}
            self.say({"event": "pusher:subscription_error", "channel": name, "data": error})
        else:
            self.channels.add(name)
            self.say({"event": "pusher_internal:subscription_succeeded", "channel": name, "data": "{}"})

    def trigger(self, channel: str, event: str, data: Any) -> None:
        self.say({"event": event, "channel": channel, "data": json.dumps(data)})
