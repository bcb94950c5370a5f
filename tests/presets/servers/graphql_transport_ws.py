"""A graphql-transport-ws server, from PROTOCOL.md of enisdenjo/graphql-ws."""

from __future__ import annotations

from typing import Any

from tests.presets.servers.base import Dialled, ScriptedServer


class GraphqlServer(ScriptedServer):
    def __init__(self, *, needs_token: bool = False) -> None:
        super().__init__()
        self.needs_token = needs_token
        self.acknowledged = False
        self.operations: dict[str, Any] = {}

    def on_open(self, dialled: Dialled) -> None:
        assert dialled.subprotocols == ["graphql-transport-ws"]
        self.acknowledged, self.operations = False, {}

    def on_message(self, message: Any) -> None:
        kind = message["type"]
        if kind == "connection_init":
            self._init(message.get("payload") or {})
        elif kind == "ping":
            if "deaf" not in self.faults:
                self.say({"type": "pong"})
        elif kind == "subscribe":
            self._subscribe(message)
        elif kind == "complete":
            del self.operations[message["id"]]
        else:
            assert kind == "pong", kind

    def _init(self, payload: Any) -> None:
        if self.acknowledged:
            self.line.close(4429, "Too many initialisation requests")
        elif self.needs_token and not self.bearer(payload):
            self.line.close(4403, "Forbidden")
        elif "mute" not in self.faults:
            self.acknowledged = True
            self.say({"type": "connection_ack"})

    def _subscribe(self, message: Any) -> None:
        number, payload = message["id"], message["payload"]
        if not self.acknowledged:
            self.line.close(4401, "Unauthorized")
        elif number in self.operations:
            self.line.close(4409, f"Subscriber for {number} already exists")
        elif "unknown" in payload["query"]:
            self.say({"type": "error", "id": number, "payload": [{"message": "no such field, bearer good"}]})
        elif payload["query"].startswith("query"):
            self.say({"type": "next", "id": number, "payload": {"data": {"answer": 42}}})
            self.say({"type": "complete", "id": number})
        else:
            self.operations[number] = payload

    def publish(self, word: str, data: Any) -> None:
        """Send to each subscription whose query has the word."""
        for number, payload in list(self.operations.items()):
            if word in payload["query"]:
                self.say({"type": "next", "id": number, "payload": {"data": data}})
