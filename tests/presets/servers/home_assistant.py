"""A Home Assistant server, from developers.home-assistant.io/docs/api/websocket."""

from __future__ import annotations

from typing import Any

from tests.presets.servers.base import Dialled, ScriptedServer


class HomeAssistantServer(ScriptedServer):
    def __init__(self) -> None:
        super().__init__()
        self.last = 0
        self.authorised = False
        self.subscriptions: dict[int, Any] = {}

    def on_open(self, dialled: Dialled) -> None:
        self.last, self.authorised, self.subscriptions = 0, False, {}
        self.say({"type": "auth_required", "ha_version": "2026.1.0"})

    def on_message(self, message: Any) -> None:
        if not self.authorised:
            self._auth(message)
            return
        number = message["id"]
        assert isinstance(number, int)
        if number <= self.last:
            self._result(number, error="id_reuse")
            return
        self.last = number
        kind = message["type"]
        if kind == "ping":
            if "deaf" not in self.faults:
                self.say({"id": number, "type": "pong"})
        elif kind in ("subscribe_events", "subscribe_trigger"):
            refused = message.get("event_type") == "secret"
            if not refused:
                self.subscriptions[number] = message
            self._result(number, error="unauthorized" if refused else None)
        elif kind == "unsubscribe_events":
            self._result(number, error=None if self.subscriptions.pop(message["subscription"], None) else "not_found")
        else:
            self._result(number, error=None if kind == "get_states" else "unknown_command")

    def _auth(self, message: Any) -> None:
        assert message["type"] == "auth"
        assert "id" not in message
        if message["access_token"] in self.tokens:
            self.authorised = True
            if "mute" not in self.faults:
                self.say({"type": "auth_ok", "ha_version": "2026.1.0"})
        else:
            self.say({"type": "auth_invalid", "message": "Invalid access token"})
            self.line.close(1006)

    def _result(self, number: int, error: str | None) -> None:
        answer: dict[str, Any] = {"id": number, "type": "result", "success": error is None}
        self.say(answer | ({"result": None} if error is None else {"error": {"code": error, "message": error}}))

    def fire(self, kind: str, data: Any) -> None:
        for number, message in self.subscriptions.items():
            if message["type"] == "subscribe_events" and message.get("event_type", kind) == kind:
                self.say({"id": number, "type": "event", "event": {"event_type": kind, "data": data}})
            elif message["type"] == "subscribe_trigger":
                self.say({"id": number, "type": "event", "event": {"variables": {"trigger": data}}})
