"""A WebSocket server in a thread, as the documentation of `websockets` has them: each path behaves in its own way."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

__all__ = ["serving", "upstream"]


@contextmanager
def serving(handle: Callable[[ServerConnection], None], **options: Any) -> Iterator[int]:
    """Serve on a free port of 127.0.0.1, and give it."""
    with serve(handle, "127.0.0.1", 0, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.socket.getsockname()[1]
        finally:
            server.shutdown()
            thread.join()


def upstream(context: ssl.SSLContext | None = None) -> AbstractContextManager[int]:
    """Serve what the documentation has."""
    return serving(_handle, ssl=context, select_subprotocol=_subprotocol)


def _subprotocol(websocket: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return Subprotocol("chat.v2") if "chat.v2" in offered else None


def _handle(websocket: ServerConnection) -> None:
    assert websocket.request is not None
    _, kind, *more = websocket.request.path.partition("?")[0].split("/")
    with suppress(ConnectionClosed):
        _TALKS[kind](websocket, more)


def _hello(websocket: ServerConnection, more: list[str]) -> None:
    """Greet whoever says a name, and go."""
    websocket.send(f"Hello {websocket.recv()}!")  # type: ignore[str-bytes-safe]


def _echo(websocket: ServerConnection, more: list[str]) -> None:
    for message in websocket:
        websocket.send(message)


def _flaky(websocket: ServerConnection, more: list[str]) -> None:
    """Say one message, and drop the connection as a server that restarts."""
    websocket.send("tick")
    websocket.close(1012, "restart")


def _end(websocket: ServerConnection, more: list[str]) -> None:
    """Close as it was told, at the first message."""
    websocket.recv()
    websocket.send("the last")
    websocket.close(int(more[0]), "so long")


def _pieces(websocket: ServerConnection, more: list[str]) -> None:
    """Answer each message with one in three fragments."""
    for message in websocket:
        websocket.send([message, message, message])  # type: ignore[arg-type]


_TALKS = {"hello": _hello, "echo": _echo, "flaky": _flaky, "end": _end, "pieces": _pieces, "chat": _echo}
