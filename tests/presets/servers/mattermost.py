"""A Mattermost server with reliable connections, from its API page and server/channels/app/platform/web_conn.go."""

from __future__ import annotations

from typing import Any

from tests.presets.servers.base import Dialled, ScriptedServer


class MattermostServer(ScriptedServer):
    def __init__(self) -> None:
        super().__init__()
        self.connections: dict[str, list[Any]] = {}
        """Events by connection; the number of the first is 0."""
        self.name = ""
        self.requested: list[int] = []

    def on_open(self, dialled: Dialled) -> None:
        self.requested = []
        if not self.bearer(dialled.headers):
            self.line.after(5, lambda: self.line.close(1006))
            return
        name, first = dialled.query.get("connection_id"), int(dialled.query.get("sequence_number", "0"))
        if name in self.connections:
            self.name = name
            for event in self.connections[name][first:]:
                self.say(event)
            return
        self.name = f"c{len(self.dialled)}"
        self.connections[self.name] = []
        if "mute" not in self.faults:
            self.event("hello", connection_id=self.name, server_version="10.0")

    def on_message(self, message: Any) -> None:
        assert message["seq"] > 0
        self.requested.append(message["seq"])
        if message["action"] == "ping" and "deaf" in self.faults:
            return
        self.say({"status": "OK", "data": {"text": "pong"}, "seq_reply": message["seq"]})

    def event(self, kind: str, **data: Any) -> None:
        """An event; it is kept for the connection, whether that is open or not."""
        events = self.connections[self.name]
        events.append({"event": kind, "data": data, "broadcast": {}, "seq": len(events)})
        self.say(events[-1])

    def lose_event(self) -> None:
        """An event that never arrives."""
        self.connections[self.name].append({"event": "lost", "data": {}, "seq": len(self.connections[self.name])})
