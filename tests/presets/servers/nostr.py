"""A nostr relay, from NIP-01."""

from __future__ import annotations

from typing import Any

from tests.presets.servers.base import Dialled, ScriptedServer


class Relay(ScriptedServer):
    def __init__(self) -> None:
        super().__init__()
        self.stored: list[Any] = []

    def on_open(self, dialled: Dialled) -> None:
        self.subscriptions: dict[str, Any] = {}

    def on_message(self, message: Any) -> None:
        verb, name, *filters = message
        if verb == "REQ":
            assert 0 < len(name) <= 64
            self._subscribe(name, filters)
        elif verb == "CLOSE":
            del self.subscriptions[name]
        else:
            assert verb == "EVENT"
            self.say(["OK", name["id"], True, ""])

    def _subscribe(self, name: str, filters: list[Any]) -> None:
        kinds = filters[0].get("kinds", [])
        if 4 in kinds:
            self.say(["CLOSED", name, "auth-required: we only serve direct messages to their recipients"])
        elif 5 in kinds:
            self.say(["CLOSED", name, "error: could not connect to the database"])
        elif "mute" not in self.faults:
            self.subscriptions[name] = filters
            for event in self.stored:
                if event["kind"] in kinds:
                    self.say(["EVENT", name, event])
            self.say(["EOSE", name])

    def publish(self, event: Any) -> None:
        self.stored.append(event)
        for name, filters in self.subscriptions.items():
            if event["kind"] in filters[0]["kinds"]:
                self.say(["EVENT", name, event])

    def close_all(self, reason: str) -> None:
        for name in self.subscriptions:
            self.say(["CLOSED", name, reason])
