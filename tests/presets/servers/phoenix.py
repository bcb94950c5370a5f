"""A Phoenix socket, serializer V2, from "Writing a Channels Client"."""

from __future__ import annotations

from typing import Any

from tests.presets.servers.base import Dialled, ScriptedServer


class PhoenixServer(ScriptedServer):
    def on_open(self, dialled: Dialled) -> None:
        assert dialled.query["vsn"] == "2.0.0"
        self.joined: dict[str, str] = {}
        self.beats: list[float] = []
        self.payloads: list[Any] = []

    def on_message(self, message: Any) -> None:
        join_ref, ref, topic, event, payload = message
        assert isinstance(payload, dict)
        if (topic, event) == ("phoenix", "heartbeat"):
            assert join_ref is None
            self.beats.append(self.line.now())
            if "deaf" not in self.faults:
                self.reply(None, ref, topic)
        elif event == "phx_join":
            assert join_ref == ref
            self._join(ref, topic, payload)
        elif event == "phx_leave":
            assert self.joined.pop(topic) == join_ref
            self.reply(join_ref, ref, topic)
            self.say([join_ref, join_ref, topic, "phx_close", {}])
        else:
            assert self.joined[topic] == join_ref, "an event before the join was answered"
            self.reply(join_ref, ref, topic, response={"seen": event})

    def _join(self, ref: str, topic: str, payload: Any) -> None:
        self.payloads.append(payload)
        if topic == "room:secret":
            self.reply(ref, ref, topic, status="error", response={"reason": "unauthorized"})
        elif not topic.startswith("room:"):
            self.reply(None, ref, topic, status="error", response={"reason": "unmatched topic"})
        elif topic == "room:broken":
            self.reply(ref, ref, topic, status="error", response={"reason": "join crashed"})
        elif "mute" not in self.faults:
            self.joined[topic] = ref
            self.reply(ref, ref, topic)

    def reply(self, join_ref: str | None, ref: str, topic: str, status: str = "ok", response: Any = None) -> None:
        self.say([join_ref, ref, topic, "phx_reply", {"status": status, "response": response or {}}])

    def push(self, topic: str, event: str, payload: Any) -> None:
        self.say([None, None, topic, event, payload])

    def crash(self, topic: str) -> None:
        ref = self.joined.pop(topic)
        self.say([ref, ref, topic, "phx_error", {}])

    def close_topic(self, topic: str) -> None:
        ref = self.joined.pop(topic)
        self.say([ref, ref, topic, "phx_close", {}])
