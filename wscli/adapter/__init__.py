"""The drop-in for programs that use `websockets`: one import is changed, and the manager holds the connection.

``from wscli.adapter import connect`` stands for ``from websockets.asyncio.client import connect``, and
``wscli.adapter.sync`` for ``websockets.sync.client``. What they give is the library's own connection.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from websockets.asyncio import client
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus
from websockets.uri import WebSocketURI, parse_uri

from wscli.adapter.attach import Inquiry
from wscli.adapter.exceptions import NO_ANSWER, exception_of
from wscli.adapter.fallback import check_choice, fall_back, manager_gone
from wscli.errors import WscliError

__all__ = ["ClientConnection", "connect"]

_Opening = Callable[[], Awaitable[ClientConnection]]
_SINCE_17_1 = hasattr(client.connect, "connect")
_SINCE_17 = hasattr(client.connect, "open_tcp_connection")
_FACTORY, _OPTIONS = ("factory", "create_connection_kwargs") if _SINCE_17 else ("protocol_factory", "connection_kwargs")


class connect(client.connect):  # noqa: N801 - the library's own name, which programs import
    """Connect to a URL through the manager, if one of its channels has it, and directly otherwise.

    Arguments, results and exceptions are those of `websockets.asyncio.client.connect`. Through the manager ``ssl``,
    ``server_hostname``, ``host``, ``port`` and ``proxy`` mean nothing, since the channel brings its own; ``sock`` and
    ``unix`` always go direct.

    Raises:
        WscliError: with WSCLI_FALLBACK=error, instead of a direct connection: NoInstance where no manager runs,
            UnknownChannel where none has the channel.
        UsageError: WSCLI_FALLBACK has another value.
    """

    _shared = False
    """Whether the connection that was opened last goes to a manager."""
    _forced_direct = False

    if TYPE_CHECKING or _SINCE_17:

        async def open_tcp_connection(self) -> ClientConnection:
            """Open a connection to the manager or to the server."""
            return await self._open(super().open_tcp_connection)
    else:

        async def create_connection(self) -> ClientConnection:
            """Open a connection to the manager or to the server."""
            return await self._open(super().create_connection)

    if TYPE_CHECKING or _SINCE_17_1:

        async def connect(self) -> ClientConnection:
            """Connect; once more, directly, where the manager went away before it had answered the handshake."""
            return await self._connect(super().connect)
    else:

        async def __await_impl__(self) -> ClientConnection:
            return await self._connect(super().__await_impl__)

    async def _open(self, directly: _Opening) -> ClientConnection:
        sock = await self._attach()
        self._shared = sock is not None
        if sock is None:
            return await directly()
        make: Callable[[WebSocketURI], ClientConnection] = getattr(self, _FACTORY)
        try:
            loop, uri = asyncio.get_running_loop(), parse_uri(self.uri)
            _, connection = await loop.create_unix_connection(lambda: make(uri), sock=sock)
        except BaseException:
            sock.close()
            raise
        return connection

    async def _connect(self, connect: _Opening) -> ClientConnection:
        try:
            return await connect()
        except InvalidStatus as refusal:
            if self._shared and (error := exception_of(refusal)) is not None:
                raise error from error.__cause__
            raise
        except NO_ANSWER as error:
            gone = manager_gone(error) if self._shared else None
            if gone is None:
                raise
            fall_back(gone, self.uri)
        self._forced_direct = True
        try:
            return await connect()
        finally:
            self._forced_direct = False

    async def _attach(self) -> socket.socket | None:
        own = getattr(self, _OPTIONS)
        if self._forced_direct or own.get("sock") is not None or own.get("unix"):
            return None
        check_choice()
        inquiry = Inquiry(self.uri, os.environ)
        try:
            return await asyncio.to_thread(inquiry.run)
        except WscliError as error:
            fall_back(error, self.uri)
            return None
        except asyncio.CancelledError:
            inquiry.drop()
            raise
