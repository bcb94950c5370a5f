"""A NATS server on a WebSocket, from docs.nats.io's page on the client protocol."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.presets.servers.base import Dialled, ScriptedServer


class NatsServer(ScriptedServer):
    def __init__(self, *, needs_token: bool = False) -> None:
        super().__init__()
        self.needs_token = needs_token
        self.denied = {"secret"}
        """Subjects that may not be subscribed, and inboxes that may not be published to, by ``_INBOX``."""
        self.subscriptions: dict[str, str] = {}
        self.pending = ""
        self.pieces = 0
        """In frames of so many bytes; 0: whole."""

    def on_open(self, dialled: Dialled) -> None:
        self.subscriptions, self.pending = {}, ""
        self.write('INFO {"server_id":"A","version":"2.11.0","proto":1,"headers":true,"max_payload":1048576}\r\n')

    def write(self, text: str) -> None:
        data = text.encode()
        size = self.pieces or len(data)
        for at in range(0, len(data), size):
            self.line.send(data[at : at + size])

    def split(self, message: str | bytes) -> list[Any]:
        assert isinstance(message, bytes)
        self.pending += message.decode()
        found = []
        while "\r\n" in self.pending:
            line, _, rest = self.pending.partition("\r\n")
            if line.startswith("PUB "):
                size = int(line.rsplit(" ", 1)[1])
                data = rest.encode()
                if len(data) < size + 2:
                    break
                assert data[size : size + 2] == b"\r\n"
                found.append((line, data[:size].decode()))
                rest = data[size + 2 :].decode()
            else:
                found.append((line, ""))
            self.pending = rest
        return found

    def on_message(self, message: Any) -> None:
        line, payload = message
        op, _, rest = line.partition(" ")
        if op == "CONNECT":
            self._connect(json.loads(rest))
        elif op == "PING":
            if "deaf" not in self.faults:
                self.write("PONG\r\n")
        elif op == "SUB":
            subject, *_, number = rest.split(" ")
            if subject in self.denied:
                self.write(f"-ERR 'Permissions Violation for Subscription to \"{subject}\"'\r\n")
            else:
                self.subscriptions[number] = subject
        elif op == "UNSUB":
            del self.subscriptions[rest]
        elif op == "PUB":
            subject, *reply, _ = rest.split(" ")
            self.publish(subject, payload, *reply)
        else:
            assert op == "PONG", line

    def _connect(self, options: Any) -> None:
        assert options["verbose"] is False
        given = options.get("auth_token", options.get("pass"))
        if self.needs_token and given not in self.tokens:
            self.write("-ERR 'Authorization Violation'\r\n")
            self.line.close(1006)

    def publish(self, subject: str, payload: str, reply: str = "") -> None:
        if subject.startswith("_INBOX") and "_INBOX" in self.denied:
            self.write(f"-ERR 'Permissions Violation for Publish to \"{subject}\"'\r\n")
            return
        if subject == "svc.echo" and reply:
            self.publish(reply, f"echo {payload}")
        head = f" {reply}" if reply else ""
        for number, pattern in self.subscriptions.items():
            if re.fullmatch(pattern.replace(".", r"\.").replace("*", "[^.]+").replace(">", ".+"), subject):
                self.write(f"MSG {subject} {number}{head} {len(payload.encode())}\r\n{payload}\r\n")
