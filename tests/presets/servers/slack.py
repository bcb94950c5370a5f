"""Slack's Socket Mode, from docs.slack.dev/apis/events-api/using-socket-mode."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.presets.servers.base import Dialled, ScriptedServer


class SlackServer(ScriptedServer):
    def __init__(self) -> None:
        super().__init__()
        self.error: str | None = None
        self.tickets = 0
        self.acknowledged: list[str] = []

    def on_http(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, Any]:
        assert (method, url) == ("POST", "https://slack.com/api/apps.connections.open")
        if self.error or not self.bearer(headers):
            return 200, {"ok": False, "error": self.error or "invalid_auth"}
        self.tickets += 1
        return 200, {"ok": True, "url": f"wss://wss-primary.slack.com/link/?ticket={self.tickets}&app_id=A1"}

    def on_open(self, dialled: Dialled) -> None:
        assert f"ticket={self.tickets}&" in dialled.url, "a ticket is good for one connection"
        if "mute" not in self.faults:
            self.say({"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A1"}})

    def on_message(self, message: Any) -> None:
        assert set(message) == {"envelope_id"}
        self.acknowledged.append(message["envelope_id"])

    def event(self, envelope: str, text: str, event_id: str = "") -> None:
        event = {"type": "message", "text": text}
        payload = {"type": "event_callback", "event_id": event_id or f"Ev{envelope}", "event": event}
        self.say({"type": "events_api", "envelope_id": envelope, "accepts_response_payload": False, "payload": payload})

    def ask_to_go(self, reason: str) -> None:
        self.say({"type": "disconnect", "reason": reason, "debug_info": {}})
