"""A plain client for walking a protocol by hand."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

__all__ = ["PlainClient", "dialled"]


@contextmanager
def dialled(
    url: str, *, subprotocol: str | None = None, headers: Sequence[tuple[str, str]] = ()
) -> Iterator[PlainClient]:
    """Open a connection for as long as the context is."""
    chosen = None if subprotocol is None else [Subprotocol(subprotocol)]
    with connect(
        url, subprotocols=chosen, additional_headers=list(headers), proxy=None, ping_interval=None, max_size=None
    ) as connection:
        yield PlainClient(connection)


class PlainClient:
    """A connection without a protocol of its own."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def send(self, message: Any) -> None:
        """Send text or bytes as they are, and anything else as JSON."""
        self.connection.send(message if isinstance(message, (str, bytes)) else json.dumps(message))

    def text(self, timeout: float = 30.0) -> str:
        """Give the next message, which is text."""
        received = self.connection.recv(timeout)
        assert isinstance(received, str)
        return received

    def json(self) -> Any:
        """Give the next message, parsed."""
        return json.loads(self.text())

    def ask(self, message: Any) -> Any:
        """Send, and give the next message, parsed."""
        self.send(message)
        return self.json()

    def is_silent(self, seconds: float = 0.2) -> bool:
        """Say whether nothing is received for a while."""
        try:
            self.connection.recv(seconds)
        except TimeoutError:
            return True
        return False

    def close_code(self) -> tuple[int, str]:
        """Wait for the close, and give its code and reason."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                self.connection.recv(30)
        return self.connection.close_code or 0, self.connection.close_reason or ""
