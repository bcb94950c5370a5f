"""The synchronous drop-in for `websockets` since 17.1, which has ``reconnect``."""

from __future__ import annotations

import functools
import socket
from typing import Any

from websockets.exceptions import InvalidStatus
from websockets.sync import client
from websockets.sync.client import ClientConnection
from websockets.sync.utils import Deadline

from wscli.adapter.exceptions import NO_ANSWER, exception_of
from wscli.adapter.fallback import attach_or_fall_back, fall_back, manager_gone


class reconnect(client.reconnect):  # noqa: N801 - the library's own name, which programs import
    """Connect to a URL through the manager, if one of its channels has it, and directly otherwise; again and again.

    Arguments, results and exceptions are those of `websockets.sync.client.reconnect`, and `wscli.adapter.connect` says
    what differs.
    """

    _shared: socket.socket | None = None
    """The connection that was opened last, where it goes to a manager."""
    _forced_direct = False

    def open_socket(self, deadline: Deadline) -> socket.socket:
        """Open a connection to the manager or to the server."""
        self._shared = self._attach(deadline)
        return self._shared if self._shared is not None else super().open_socket(deadline)

    def enable_tls(self, sock: socket.socket, deadline: Deadline) -> socket.socket:
        """Begin TLS, but not with the manager."""
        return sock if sock is self._shared else super().enable_tls(sock, deadline)

    def open_connection(self, deadline: Deadline) -> ClientConnection:
        """Connect; once more, directly, where the manager went away before it had answered the handshake."""
        try:
            return super().open_connection(deadline)
        except InvalidStatus as refusal:
            if self._shared is not None and (error := exception_of(refusal)) is not None:
                raise error from error.__cause__
            raise
        except NO_ANSWER as error:
            gone = manager_gone(error) if self._shared is not None else None
            if gone is None:
                raise
            fall_back(gone, self.uri)
        self._forced_direct = True
        try:
            return super().open_connection(deadline)
        finally:
            self._forced_direct = False

    def _attach(self, deadline: Deadline) -> socket.socket | None:
        if self._forced_direct or self.open_socket_kwargs.get("unix"):
            return None
        return attach_or_fall_back(self.uri, within=deadline.timeout())


@functools.wraps(client.connect)
def connect(uri: str, *, legacy: bool | None = None, **kwargs: Any) -> ClientConnection | reconnect:
    """Connect as `websockets.sync.client.connect` does, whose signature this has."""
    connecter = reconnect(uri, **kwargs)
    if legacy is False:
        return connecter
    connection = connecter.connect()
    if legacy:
        connection.pending_legacy_warning = False
    return connection
