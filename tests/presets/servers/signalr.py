"""A SignalR hub, JSON protocol, from HubProtocol.md of dotnet/aspnetcore."""

from __future__ import annotations

import json
from typing import Any

from tests.presets.servers.base import Dialled, ScriptedServer

END = "\x1e"


class HubServer(ScriptedServer):
    def on_open(self, dialled: Dialled) -> None:
        self.agreed = False
        self.pings: list[float] = []
        self.line.after(15, self._ping)

    def _ping(self) -> None:
        if "deaf" not in self.faults:
            self.say({"type": 6})
            self.line.after(15, self._ping)

    def split(self, message: str | bytes) -> list[Any]:
        text = str(message)
        assert text.endswith(END)
        return [json.loads(one) for one in text.split(END)[:-1]]

    def say(self, value: Any) -> None:
        self.line.send(json.dumps(value) + END)

    def on_message(self, message: Any) -> None:
        if not self.agreed:
            assert message == {"protocol": "json", "version": 1}
            self.agreed = True
            if "mute" not in self.faults:
                refused = "refuse" in self.faults
                self.say({"error": "Requested protocol 'json' is not available."} if refused else {})
        elif message["type"] == 6:
            self.pings.append(self.line.now())
        else:
            assert message["type"] == 1
            assert isinstance(message["arguments"], list)
            if number := message.get("invocationId"):
                failed = message["target"] == "JoinSecret"
                end = {"error": "HubException"} if failed else {"result": message["arguments"]}
                self.say({"type": 3, "invocationId": number, **end})

    def call(self, target: str, *arguments: Any) -> None:
        self.say({"type": 1, "target": target, "arguments": list(arguments)})
