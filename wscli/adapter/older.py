"""The synchronous drop-in for `websockets` before 17.1, where ``connect`` is a function."""

from __future__ import annotations

import functools
import socket
from collections.abc import Callable
from typing import Any

from websockets.exceptions import InvalidStatus
from websockets.sync import client
from websockets.sync.client import ClientConnection
from websockets.sync.utils import Deadline
from websockets.uri import parse_uri

from wscli.adapter.exceptions import NO_ANSWER, exception_of
from wscli.adapter.fallback import attach_or_fall_back, fall_back, manager_gone

direct: Callable[..., ClientConnection] = client.connect


class _NoTls:
    """Stands for an SSLContext, since the library begins TLS on each connection to a wss:// URL."""

    def wrap_socket(self, sock: socket.socket, **options: Any) -> socket.socket:
        return sock


@functools.wraps(client.connect)
def connect(uri: str, **kwargs: Any) -> ClientConnection:
    """Connect to a URL through the manager, if one of its channels has it, and directly otherwise.

    Arguments, results and exceptions are those of `websockets.sync.client.connect`, and `wscli.adapter.connect` says
    what differs.
    """
    if kwargs.get("sock") is not None or kwargs.get("unix"):
        return direct(uri, **kwargs)
    secure = parse_uri(uri).secure  # a URL that the library refuses is refused first
    deadline = Deadline(kwargs.get("open_timeout", 10))
    sock = attach_or_fall_back(uri, within=deadline.timeout())
    if sock is not None:
        options = {name: kwargs[name] for name in _HANDSHAKE if name in kwargs}
        if secure:
            options["ssl"] = _NoTls()
        options["open_timeout"] = deadline.timeout()
        try:
            # `unix` as well: the library sets options of TCP on any other socket.
            return direct(uri, unix=True, sock=sock, **options)
        except InvalidStatus as refusal:
            if (error := exception_of(refusal)) is not None:
                raise error from error.__cause__
            raise
        except NO_ANSWER as error:
            if (gone := manager_gone(error)) is None:
                raise
            fall_back(gone, uri)
    return direct(uri, **{**kwargs, "open_timeout": deadline.timeout()})


_HANDSHAKE = frozenset(
    {
        "origin", "extensions", "subprotocols", "compression", "additional_headers", "user_agent_header",
        "ping_interval", "ping_timeout", "close_timeout", "max_size", "max_queue", "logger", "create_connection",
    }
)  # fmt: skip
"""Arguments that mean something on a connection to the manager: not those of its TCP, TLS and proxy."""
