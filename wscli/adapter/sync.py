"""The drop-in's synchronous twin, for programs that use ``websockets.sync.client``."""

from __future__ import annotations

import functools
import os
import socket
from typing import TYPE_CHECKING, Any

from websockets.exceptions import ConnectionClosed, InvalidMessage
from websockets.sync import client
from websockets.sync.client import ClientConnection
from websockets.sync.utils import Deadline

from wscli.adapter.attach import attach
from wscli.adapter.fallback import check_choice, fall_back, manager_gone
from wscli.errors import WscliError

__all__ = ["ClientConnection", "connect", "reconnect"]


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
        except (InvalidMessage, ConnectionClosed) as error:
            gone = manager_gone(error) if self._shared is not None else None
            if gone is None:
                raise
            fall_back(gone, self.ws_uri)
        self._forced_direct = True
        try:
            return super().open_connection(deadline)
        finally:
            self._forced_direct = False

    def _attach(self, deadline: Deadline) -> socket.socket | None:
        if self._forced_direct or self.open_socket_kwargs.get("unix"):
            return None
        check_choice()
        try:
            return attach(self.uri, os.environ, within=deadline.timeout())
        except WscliError as error:
            fall_back(error, self.ws_uri)
            return None


if TYPE_CHECKING:
    from websockets.sync.client import connect
else:

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
