"""What scripted servers have in common: they hear, answer, and can be told to misbehave."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Dialled", "Line", "ScriptedServer"]


@dataclass(frozen=True)
class Dialled:
    """What a client asked for with its upgrade."""

    url: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    subprotocols: list[str]


class Line(Protocol):
    """An open connection, as the server has it."""

    def send(self, message: str | bytes) -> None: ...
    def close(self, code: int, reason: str = "") -> None: ...
    def after(self, seconds: float, call: Callable[[], None]) -> None: ...
    def now(self) -> float: ...


class ScriptedServer:
    """One server; a test sets its attributes to have it misbehave."""

    def __init__(self) -> None:
        self.line: Line
        self.dialled: list[Dialled] = []
        """Of each connection."""
        self.heard: list[Any] = []
        """Every message of the last connection, decoded."""
        self.times: list[float] = []
        """When each of ``heard`` arrived."""
        self.faults: set[str] = set()
        self.tokens = {"good"}
        """Those that are let in."""
        self.close_codes: list[int | None] = []
        """With which codes the client closed."""
        self.requests: list[tuple[str, str, Mapping[str, str], Any]] = []
        """Method, URL, headers and body of every HTTP request."""

    # What the client does.

    def connected(self, line: Line, dialled: Dialled) -> None:
        self.line, self.heard, self.times = line, [], []
        self.dialled.append(dialled)
        self.on_open(dialled)

    def received(self, message: str | bytes) -> None:
        for one in self.split(message):
            self.heard.append(one)
            self.times.append(self.line.now())
            self.on_message(one)

    def disconnected(self, code: int | None) -> None:
        """``code`` is that of the client's close; None: the connection was lost."""
        self.close_codes.append(code)

    def http(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, Any]:
        """Answer an HTTP request with a status and a JSON value."""
        self.requests.append((method, url, headers, body))
        return self.on_http(method, url, headers, body)

    # What one server does; a subclass says so.

    def split(self, message: str | bytes) -> list[Any]:
        return [json.loads(message)]

    def on_open(self, dialled: Dialled) -> None: ...

    def on_message(self, message: Any) -> None: ...

    def on_http(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> tuple[int, Any]:
        raise AssertionError(f"no HTTP request was expected: {method} {url}")

    # Tools of a subclass and of a test.

    def say(self, value: Any) -> None:
        """Send a JSON value."""
        self.line.send(json.dumps(value))

    def bearer(self, headers: Mapping[str, str]) -> bool:
        """Whether a request carries a token that is let in."""
        return headers.get("Authorization", "").removeprefix("Bearer ") in self.tokens
