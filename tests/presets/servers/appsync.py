"""AWS AppSync's real-time endpoint, from its page on WebSocket clients."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.presets.servers.base import Dialled, ScriptedServer


class AppSyncServer(ScriptedServer):
    timeout = 300

    def authorised(self, header: Any) -> bool:
        assert header["host"] == "id.appsync-api.eu-west-1.amazonaws.com"
        return header.get("x-api-key") in self.tokens or header.get("Authorization") in self.tokens

    def on_open(self, dialled: Dialled) -> None:
        self.operations: dict[str, Any] = {}
        assert dialled.subprotocols == ["graphql-ws"]
        assert dialled.query["payload"] == "e30="
        self.let_in = self.authorised(json.loads(base64.b64decode(dialled.query["header"])))
        self.line.after(60, self._alive)

    def _alive(self) -> None:
        if "deaf" not in self.faults:
            self.say({"type": "ka"})
            self.line.after(60, self._alive)

    def on_message(self, message: Any) -> None:
        kind = message["type"]
        if kind == "connection_init":
            if not self.let_in:
                errors = [{"errorType": "UnauthorizedException", "errorCode": 401}]
                self.say({"type": "connection_error", "payload": {"errors": errors}})
            elif "mute" not in self.faults:
                self.say({"type": "connection_ack", "payload": {"connectionTimeoutMs": self.timeout * 1000}})
        elif kind == "start":
            self._start(message["id"], message["payload"])
        else:
            assert kind == "stop"
            del self.operations[message["id"]]

    def _start(self, number: str, payload: Any) -> None:
        data = json.loads(payload["data"])
        assert self.authorised(payload["extensions"]["authorization"])
        if "unknown" in data["query"]:
            errors = [{"errorType": "ValidationError", "message": "no such field"}]
            self.say({"type": "error", "id": number, "payload": {"errors": errors}})
        else:
            self.operations[number] = data
            self.say({"type": "start_ack", "id": number})

    def publish(self, data: Any) -> None:
        for number in self.operations:
            self.say({"type": "data", "id": number, "payload": {"data": data}})
