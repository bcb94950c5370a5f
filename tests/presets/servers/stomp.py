"""A STOMP 1.2 broker, from stomp.github.io/stomp-specification-1.2.html."""

from __future__ import annotations

from typing import Any

from tests.presets.servers.base import Dialled, ScriptedServer


class Broker(ScriptedServer):
    def __init__(self) -> None:
        super().__init__()
        self.heart_beat = "10000,10000"
        self.end_of_line = "\n"

    def on_open(self, dialled: Dialled) -> None:
        assert dialled.subprotocols == ["v12.stomp"]
        self.subscriptions: dict[str, dict[str, str]] = {}
        self.beats: list[float] = []
        self.unacknowledged: set[str] = set()
        self.number = 0
        self.login = ""

    def split(self, message: str | bytes) -> list[Any]:
        text = str(message)
        if not text.strip("\n"):
            return ["\n"]
        assert text.endswith("\0")
        head, _, body = text[:-1].partition("\n\n")
        command, *lines = head.split("\n")
        return [(command, dict(line.split(":", 1) for line in lines), body)]

    def on_message(self, message: Any) -> None:
        if message == "\n":
            self.beats.append(self.line.now())
            return
        command, headers, body = message
        getattr(self, f"_{command.lower()}")(headers, body)
        if command != "CONNECT" and "receipt" in headers and "no receipts" not in self.faults:
            self.frame("RECEIPT", {"receipt-id": headers["receipt"]})

    def _connect(self, headers: dict[str, str], _: str) -> None:
        assert headers["accept-version"] == "1.2"
        assert headers["host"]
        self.login = headers.get("login", "")
        if "passcode" in headers and headers["passcode"] not in self.tokens:
            self.frame("ERROR", {"message": "Bad CONNECT"}, "Access refused")
            self.line.close(1002)
        elif "mute" not in self.faults:
            self.frame("CONNECTED", {"version": "1.2", "heart-beat": self.heart_beat})
            if self.heart_beat.startswith("10000"):
                self.line.after(10, self._beat)

    def _beat(self) -> None:
        if "deaf" not in self.faults:
            self.line.send("\n")
            self.line.after(10, self._beat)

    def _subscribe(self, headers: dict[str, str], _: str) -> None:
        if headers["destination"] == "/queue/secret":
            self.frame("ERROR", {"receipt-id": headers["receipt"], "message": "access_refused"}, "no")
            self.line.close(1000)
            del headers["receipt"]
        else:
            self.subscriptions[headers["id"]] = headers

    def _unsubscribe(self, headers: dict[str, str], _: str) -> None:
        del self.subscriptions[headers["id"]]

    def _ack(self, headers: dict[str, str], _: str) -> None:
        self.unacknowledged.remove(headers["id"])

    def _send(self, headers: dict[str, str], body: str) -> None:
        assert int(headers["content-length"]) == len(body.encode())
        self.publish(headers["destination"], body)

    def _disconnect(self, headers: dict[str, str], _: str) -> None: ...

    def publish(self, destination: str, body: str) -> None:
        for name, subscription in self.subscriptions.items():
            if subscription["destination"] == destination:
                self.number += 1
                headers = {"subscription": name, "message-id": str(self.number), "destination": destination}
                if subscription["ack"] != "auto":
                    headers["ack"] = f"a{self.number}"
                    self.unacknowledged.add(headers["ack"])
                self.frame("MESSAGE", headers, body)

    def frame(self, command: str, headers: dict[str, str], body: str = "") -> None:
        eol = self.end_of_line
        lines = "".join(f"{name}:{value}{eol}" for name, value in headers.items())
        self.line.send(f"{command}{eol}{lines}{eol}{body}\0")
