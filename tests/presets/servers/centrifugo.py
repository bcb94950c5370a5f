"""A Centrifugo server, client protocol v2 in JSON, from centrifugal.dev and client.proto."""

from __future__ import annotations

import json
from typing import Any

from tests.presets.servers.base import Dialled, ScriptedServer


def _without_zeros(value: Any) -> Any:
    """Leave out what has its default value, as the JSON of Protobuf does; ``data`` is the application's."""
    if not isinstance(value, dict):
        return value
    filled = {key: item if key == "data" else _without_zeros(item) for key, item in value.items()}
    return {key: item for key, item in filled.items() if item not in (0, "") or key == "data"}


class CentrifugoServer(ScriptedServer):
    ping = 25

    def __init__(self, *, needs_token: bool = False) -> None:
        super().__init__()
        self.needs_token = needs_token
        self.epoch = "E1"
        self.streams: dict[str, list[Any]] = {}
        """Publications by channel; the offset of the first is 1."""
        self.subscribed: set[str] = set()
        self.pongs: list[float] = []
        self.refreshed: list[str] = []
        self.ttl = 0

    def split(self, message: str | bytes) -> list[Any]:
        return [json.loads(one) for one in str(message).split("\n") if one]

    def on_open(self, dialled: Dialled) -> None:
        self.subscribed, self.pongs, self.connected_once = set(), [], False
        self.line.after(self.ping, self._ping)

    def _ping(self) -> None:
        if "deaf" not in self.faults:
            self.say({})
            self.line.after(self.ping, self._ping)

    def on_message(self, message: Any) -> None:
        if message == {}:
            self.pongs.append(self.line.now())
        elif "connect" in message:
            self._connect(message["id"], message["connect"])
        else:
            assert self.connected_once, "a command before connect"
            self._command(message)

    def _connect(self, number: int, request: Any) -> None:
        if self.needs_token and request.get("token") == "expired":
            self.say({"id": number, "error": {"code": 109, "message": "token expired"}})
        elif self.needs_token and request.get("token") not in self.tokens:
            self.line.close(3500, "invalid token")
        elif "mute" not in self.faults:
            self.connected_once = True
            lives = {"expires": True, "ttl": self.ttl} if self.ttl else {}
            reply = {"client": "C", "version": "6.0.0", "ping": self.ping, "pong": True, **lives}
            self.say({"id": number, "connect": reply})

    def _command(self, message: Any) -> None:
        number = message["id"]
        if "subscribe" in message:
            self._subscribe(number, message["subscribe"])
        elif "unsubscribe" in message:
            self.subscribed.remove(message["unsubscribe"]["channel"])
            self.say({"id": number, "unsubscribe": {}})
        elif "publish" in message:
            self.say({"id": number, "publish": {}})
            self.publish(message["publish"]["channel"], message["publish"]["data"])
        else:
            self.refreshed.append(message["refresh"]["token"])
            self.say({"id": number, "refresh": {"client": "C", "expires": True, "ttl": self.ttl}})

    def _subscribe(self, number: int, request: Any) -> None:
        name = request["channel"]
        codes = {"secret": (103, "permission denied"), "busy": (100, "internal server error")}
        if name in codes:
            code, text = codes[name]
            self.say({"id": number, "error": {"code": code, "message": text, "temporary": code == 100}})
            return
        assert name not in self.subscribed
        self.subscribed.add(name)
        stream = self.streams.setdefault(name, [])
        result = {"recoverable": True, "positioned": True, "epoch": self.epoch, "offset": len(stream)}
        if request.get("recover"):
            result["was_recovering"] = True
            if request["epoch"] == self.epoch:
                missed = stream[request["offset"] :]
                result |= {"recovered": True, "publications": missed} if missed else {"recovered": True}
        self.say({"id": number, "subscribe": result})

    def publish(self, name: str, data: Any) -> None:
        stream = self.streams.setdefault(name, [])
        stream.append({"data": data, "offset": len(stream) + 1})
        if name in self.subscribed:
            self.say({"push": {"channel": name, "pub": stream[-1]}})

    def unsubscribe(self, name: str, code: int) -> None:
        self.subscribed.remove(name)
        self.say({"push": {"channel": name, "unsubscribe": {"code": code, "reason": "by the server"}}})

    def say(self, value: Any) -> None:
        super().say(_without_zeros(value))

    def say_at_once(self, *values: Any) -> None:
        self.line.send("\n".join(json.dumps(one) for one in values) + "\n")
