"""Twitch's EventSub over WebSocket, from dev.twitch.tv/docs/eventsub/handling-websocket-events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tests.presets.servers.base import Dialled, ScriptedServer

API = "https://api.twitch.tv/helix/eventsub/subscriptions"


class TwitchServer(ScriptedServer):
    keepalive = 10

    def __init__(self) -> None:
        super().__init__()
        self.session = ""
        self.subscriptions: dict[str, Any] = {}
        self.made = 0
        self.messages = 0

    def on_open(self, dialled: Dialled) -> None:
        carried = dialled.url.startswith("wss://cell-b.eventsub.wss.twitch.tv")
        assert carried or dialled.url == "wss://eventsub.wss.twitch.tv/ws"
        if not carried:
            self.subscriptions = {}
        self.session = f"session{len(self.dialled)}"
        if "mute" not in self.faults:
            session = {"id": self.session, "status": "connected", "keepalive_timeout_seconds": self.keepalive}
            self.message("session_welcome", {"session": session})
            self.line.after(self.keepalive, self._alive)

    def _alive(self) -> None:
        if "deaf" not in self.faults:
            self.message("session_keepalive", {})
            self.line.after(self.keepalive, self._alive)

    def on_message(self, message: Any) -> None:
        self.line.close(4001, "client sent inbound traffic")

    def on_http(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, Any]:
        assert headers["Client-Id"] == "client"
        if not self.bearer(headers):
            return 401, {"error": "Unauthorized", "status": 401, "message": "Invalid OAuth token"}
        if method == "DELETE":
            del self.subscriptions[url.removeprefix(f"{API}?id=")]
            return 204, None
        assert (method, url) == ("POST", API)
        request = json.loads(body or b"")
        assert request["transport"] == {"method": "websocket", "session_id": self.session}
        assert isinstance(request["version"], str)
        if request["type"] == "channel.unknown":
            return 400, {"error": "Bad Request", "status": 400}
        self.made += 1
        name = f"sub{self.made}"
        self.subscriptions[name] = request
        return 202, {"data": [{"id": name, "status": "enabled"}], "total": 1}

    def message(self, kind: str, payload: Any, name: str | None = None) -> None:
        self.messages += 1
        self.say({"metadata": {"message_id": name or f"m{self.messages}", "message_type": kind}, "payload": payload})

    def notify(self, kind: str, event: Any, name: str | None = None) -> None:
        for number, request in self.subscriptions.items():
            if request["type"] == kind:
                self.message("notification", {"subscription": {"id": number, "type": kind}, "event": event}, name)

    def ask_to_go(self) -> None:
        url = "wss://cell-b.eventsub.wss.twitch.tv/ws?challenge=x&id=y"
        self.message("session_reconnect", {"session": {"id": self.session, "reconnect_url": url}})

    def revoke(self, name: str) -> None:
        self.message("revocation", {"subscription": {"id": name, "status": "authorization_revoked"}})
