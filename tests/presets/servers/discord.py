"""Discord's gateway v10, from discord.com/developers/docs/events/gateway."""

from __future__ import annotations

from typing import Any

from tests.presets.servers.base import Dialled, ScriptedServer


class DiscordGateway(ScriptedServer):
    interval = 41.25

    def __init__(self) -> None:
        super().__init__()
        self.sessions: dict[str, list[Any]] = {}
        """By session: what was sent since, to be replayed."""
        self.session = ""
        self.seq = 0
        self.attached = False
        """Whether the connection has a session."""
        self.beats: list[tuple[float, Any]] = []

    def on_open(self, dialled: Dialled) -> None:
        assert dialled.query == {"v": "10", "encoding": "json"}
        self.beats, self.opened, self.attached = [], self.line.now(), False
        self.say({"op": 10, "d": {"heartbeat_interval": int(self.interval * 1000)}})

    def on_message(self, message: Any) -> None:
        op, data = message["op"], message["d"]
        if op == 1:
            self.beats.append((self.line.now(), data))
            if "deaf" not in self.faults:
                self.say({"op": 11})
        elif op == 2:
            self._identify(data)
        elif op == 6:
            self._resume(data)
        else:
            assert self.session, "4003: not authenticated"

    def _identify(self, data: Any) -> None:
        assert isinstance(data["intents"], int)
        assert set(data["properties"]) == {"os", "browser", "device"}
        if data["token"] not in self.tokens:
            self.line.close(4004, "Authentication failed.")
        elif "mute" not in self.faults:
            self.session, self.seq = f"s{len(self.sessions) + 1}", 0
            self.sessions[self.session], self.attached = [], True
            ready = {"session_id": self.session, "resume_gateway_url": "wss://gateway-us-east1-b.discord.gg"}
            self.dispatch("READY", ready)

    def _resume(self, data: Any) -> None:
        assert set(data) == {"token", "session_id", "seq"}
        if data["session_id"] not in self.sessions:
            self.say({"op": 9, "d": False})
            return
        self.session, self.attached = data["session_id"], True
        for one in self.sessions[self.session]:
            if one["s"] > data["seq"]:
                self.say(one)
        self.dispatch("RESUMED", {})

    def dispatch(self, kind: str, data: Any) -> None:
        self.seq += 1
        message = {"op": 0, "s": self.seq, "t": kind, "d": data}
        self.sessions[self.session].append(message)
        if self.attached:
            self.say(message)

    def disconnected(self, code: int | None) -> None:
        super().disconnected(code)
        if code in (1000, 1001):
            self.sessions.pop(self.session, None)
