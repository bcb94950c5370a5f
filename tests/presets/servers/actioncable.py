"""Rails Action Cable, from docs.anycable.io's page on the protocol."""

from __future__ import annotations

import json
from typing import Any

from tests.presets.servers.base import Dialled, ScriptedServer


class CableServer(ScriptedServer):
    def __init__(self, *, needs_token: bool = False) -> None:
        super().__init__()
        self.needs_token = needs_token

    def on_open(self, dialled: Dialled) -> None:
        assert dialled.subprotocols == ["actioncable-v1-json", "actioncable-unsupported"]
        self.identifiers: dict[Any, str] = {}
        if self.needs_token and dialled.query.get("token") not in self.tokens:
            self.say({"type": "disconnect", "reason": "unauthorized", "reconnect": False})
            self.line.close(1000)
        elif "mute" not in self.faults:
            self.say({"type": "welcome"})
            self._ping()

    def _ping(self) -> None:
        if "deaf" not in self.faults:
            self.say({"type": "ping", "message": int(self.line.now())})
            self.line.after(3, self._ping)

    def on_message(self, message: Any) -> None:
        command, identifier = message["command"], message["identifier"]
        name = json.loads(identifier)["channel"]
        if command == "subscribe":
            if name == "SecretChannel":
                self.say({"type": "reject_subscription", "identifier": identifier})
            else:
                self.identifiers[name] = identifier
                self.say({"type": "confirm_subscription", "identifier": identifier})
        elif command == "unsubscribe":
            assert self.identifiers.pop(name) == identifier
        else:
            assert command == "message"
            self.say({"identifier": self.identifiers[name], "message": {"heard": json.loads(message["data"])}})

    def broadcast(self, name: str, message: Any) -> None:
        self.say({"identifier": self.identifiers[name], "message": message})
