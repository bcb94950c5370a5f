"""The server of docs/sessions.md; each test switches on as much of it as the page has explained by then."""

from __future__ import annotations

from typing import Any

from tests.presets.servers.base import Dialled, ScriptedServer


class Newsroom(ScriptedServer):
    def __init__(self) -> None:
        super().__init__()
        self.tokens = {"good"}
        self.beats: list[float] = []
        self.subscriptions: dict[int, str] = {}
        self.sessions: dict[str, list[Any]] = {}
        self.session = ""
        self.seq = 0
        self.unacknowledged: set[str] = set()

    def on_open(self, dialled: Dialled) -> None:
        self.beats = []
        if "mute" not in self.faults:
            self.say({"type": "welcome"})

    def on_message(self, message: Any) -> None:
        getattr(self, f"_{message['type']}")(message)

    def _login(self, message: Any) -> None:
        if message["token"] not in self.tokens:
            self.say({"type": "login_failed", "reason": "unknown token"})
            return
        self.subscriptions, self.seq = {}, 0
        self.session = f"s{len(self.dialled)}"
        self.sessions[self.session] = []
        self.say({"type": "login_ok", "heartbeat": 30, "session": self.session})

    def _resume(self, message: Any) -> None:
        if message["session"] not in self.sessions:
            self.say({"type": "gone"})
            return
        self.say({"type": "resumed", "heartbeat": 30})
        for one in self.sessions[message["session"]]:
            if one["seq"] > message["after"]:
                self.say(one)

    def _subscribe(self, message: Any) -> None:
        if message["topic"] == "secret":
            self.say({"id": message["id"], "type": "refused", "reason": "no such topic"})
        elif "quiet" not in self.faults:
            self.subscriptions[message["id"]] = message["topic"]
            self.say({"id": message["id"], "type": "subscribed"})

    def _unsubscribe(self, message: Any) -> None:
        del self.subscriptions[message["subscription"]]

    def _get(self, message: Any) -> None:
        self.say({"id": message["id"], "type": "answer", "value": message["what"]})

    def _ping(self, message: Any) -> None:
        self.beats.append(self.line.now())
        if "deaf" not in self.faults:
            self.say({"type": "pong"})

    def _pong(self, message: Any) -> None: ...

    def _ack(self, message: Any) -> None:
        self.unacknowledged.remove(message["ack"])

    def publish(self, topic: str, body: Any, **more: Any) -> None:
        """A message to each subscription of a topic; it is kept for the session."""
        for number, name in self.subscriptions.items():
            if name == topic:
                self.seq += 1
                message = {"type": "message", "subscription": number, "seq": self.seq, "body": body, **more}
                self.sessions[self.session].append(message)
                self.say(message)
