"""``nats-server`` with its WebSocket listener: the protocol of NATS, as text, in binary messages.

Its documents: https://docs.nats.io/reference/reference-protocols/nats-protocol and
https://docs.nats.io/running-a-nats-service/configuration/websocket
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.peers.programs import absent
from tests.processes import Process
from tests.servers.program import Program

__all__ = ["NatsClient", "NatsServer"]


class NatsServer(Program):
    """``port`` is that of the WebSocket listener; ``token`` is what a client logs in with, None: nothing."""

    def __init__(self, directory: Path, *, token: str | None = None, ping_interval: str = "2m") -> None:
        super().__init__(directory)
        self.token = token
        self.ping_interval = ping_interval

    def command(self) -> Sequence[str]:
        program = shutil.which("nats-server", path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None:
            absent("nats-server is not installed")
        config = self.directory / "nats.json"
        settings = {
            "listen": "127.0.0.1:-1",
            "websocket": {"listen": f"127.0.0.1:{self.port or -1}", "no_tls": True},
            "ping_interval": self.ping_interval,
        }
        config.write_text(json.dumps(settings if self.token is None else {**settings, "authorization": self._login()}))
        return [program, "-c", str(config)]

    def _login(self) -> dict[str, str]:
        return {"token": self.token or ""}

    def listening(self, process: Process) -> int:
        ready = "Server is ready" in process.stderr
        return self._port(r"websocket clients on ws://127\.0\.0\.1:(\d+)", process) if ready else 0

    def _port(self, pattern: str, process: Process) -> int:
        found = re.search(pattern, process.stderr)
        assert found is not None, process.shown()
        return int(found[1])

    @property
    def url(self) -> str:
        """Where it serves WebSockets."""
        return f"ws://127.0.0.1:{self.port}"

    @contextmanager
    def client(self) -> Iterator[NatsClient]:
        """Open a connection of its own kind, over TCP."""
        assert self.process is not None
        port = self._port(r"client connections on 127\.0\.0\.1:(\d+)", self.process)
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
            yield NatsClient(sock, self.token)

    def publish(self, subject: str, text: str) -> None:
        """Publish a message, and return once the server has it."""
        with self.client() as client:
            client.publish(subject, text)


class NatsClient:
    """A plain client over TCP."""

    def __init__(self, sock: socket.socket, token: str | None) -> None:
        self._lines = sock.makefile("rwb")
        assert self.line().startswith("INFO ")
        self.say("CONNECT " + json.dumps({"verbose": False, "auth_token": token}))

    def say(self, line: str) -> None:
        """Send a line, and return once the server has handled it."""
        self._lines.write(f"{line}\r\nPING\r\n".encode())
        self._lines.flush()
        while self.line() != "PONG":
            pass

    def line(self) -> str:
        """Give the next line."""
        return self._lines.readline().decode().removesuffix("\r\n")

    def publish(self, subject: str, text: str) -> None:
        """Publish a message."""
        self.say(f"PUB {subject} {len(text.encode())}\r\n{text}")

    def answer(self, subject: str, text: str) -> None:
        """Wait for one request on a subject that ``SUB`` named, and answer it."""
        while (line := self.line()) == "PING":  # which the server asks by itself, some time after the start
            self._lines.write(b"PONG\r\n")
            self._lines.flush()
        _, found, _, reply, size = line.split()
        assert found == subject
        self._lines.read(int(size) + 2)
        self.publish(reply, text)
