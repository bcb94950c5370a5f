"""A Socket.IO 5 server on Engine.IO 4, from the two protocols' documents."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.presets.servers.base import Dialled, ScriptedServer

_PACKET = re.compile(r"4(?P<type>[0-6])(?:(?P<namespace>/[^,]*),)?(?P<id>[0-9]+)?(?P<data>.*)", re.DOTALL)


class SocketIoServer(ScriptedServer):
    interval, timeout = 25.0, 20.0
    unknown = '{"message":"Invalid namespace"}'
    """What it answers to a namespace that is not there; python-socketio gives a text."""

    def __init__(self, *, needs_token: bool = False) -> None:
        super().__init__()
        self.needs_token = needs_token
        self.namespaces: set[str] = set()
        self.pongs: list[float] = []

    def split(self, message: str | bytes) -> list[Any]:
        return [message]

    def on_open(self, dialled: Dialled) -> None:
        assert dialled.query["EIO"] == "4"
        assert dialled.query["transport"] == "websocket"
        self.namespaces, self.pongs = set(), []
        opening = {"sid": "engine", "upgrades": [], "pingInterval": 25000, "pingTimeout": 20000, "maxPayload": 1000000}
        self.line.send("0" + json.dumps(opening))
        self.line.after(self.interval, self._ping)

    def _ping(self) -> None:
        if "deaf" not in self.faults:
            self.line.send("2")
            self.line.after(self.interval, self._ping)

    def on_message(self, message: str) -> None:
        if message == "3":
            self.pongs.append(self.line.now())
            return
        packet = _PACKET.fullmatch(message)
        assert packet is not None, message
        namespace = packet["namespace"] or "/"
        data = json.loads(packet["data"]) if packet["data"] else None
        prefix = "" if namespace == "/" else f"{namespace},"
        if packet["type"] == "0":
            self._connect(namespace, prefix, data or {})
        else:
            assert packet["type"] == "2", message
            assert namespace in self.namespaces, "an event before the namespace was connected"
            if packet["id"]:
                self.line.send(f"43{prefix}{packet['id']}{json.dumps(['seen', *data])}")

    def _connect(self, namespace: str, prefix: str, auth: dict[str, Any]) -> None:
        if namespace not in ("/", "/admin"):
            self.line.send(f"44{prefix}{self.unknown}")
        elif self.needs_token and auth.get("token") not in self.tokens:
            self.line.send(f'44{prefix}{{"message":"invalid credentials"}}')
        elif "mute" not in self.faults:
            self.namespaces.add(namespace)
            self.line.send(f'40{prefix}{{"sid":"socket"}}')

    def emit(self, event: str, *arguments: Any, namespace: str = "/") -> None:
        prefix = "" if namespace == "/" else f"{namespace},"
        self.line.send(f"42{prefix}{json.dumps([event, *arguments])}")
