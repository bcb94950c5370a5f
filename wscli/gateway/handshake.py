"""The HTTP exchange with a client: one request is read, within limits, and answered."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from types import MappingProxyType

from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from wscli.transport.silent_logger import SILENT_LOGGER

__all__ = ["DEADLINE", "Handshake", "ClientGone", "response"]

DEADLINE = 10.0
"""Seconds for a client to take the answer."""
REQUEST_DEADLINE = 3.0
"""Seconds for a client to send its request."""
_CHUNK = 1 << 14
_LINGER = 1.0
_LINGER_BYTES = 1 << 20
_EARLY = b"data before the upgrade was answered\n"


class ClientGone(Exception):
    """The client hung up, was too slow, or sent an invalid request, which was answered."""


def response(
    status: int,
    body: bytes,
    content_type: str = "text/plain; charset=utf-8",
    headers: Mapping[str, str] = MappingProxyType({}),
    *,
    phrase: str | None = None,
) -> Response:
    """Make an HTTP response that ends the connection; ``phrase`` stands for that of the status."""
    all_headers = Headers({"Date": formatdate(usegmt=True), "Connection": "close"})
    all_headers.update({"Content-Length": str(len(body)), "Content-Type": content_type, **headers})
    return Response(status, HTTPStatus(status).phrase if phrase is None else phrase, all_headers, body)


class Handshake:
    """One client before it is accepted; its socket is non-blocking.

    ``max_header`` is in bytes of the request, ``max_message`` in bytes of a message once it is accepted.
    """

    def __init__(self, sock: socket.socket, *, max_header: int, max_message: int) -> None:
        self.sock = sock
        self.max_message = max_message
        self._max_header = max_header
        self._chosen: Subprotocol | None = None
        self.protocol = ServerProtocol(
            max_size=max_message, logger=SILENT_LOGGER, select_subprotocol=lambda protocol, offered: self._chosen
        )

    async def request(self) -> Request:
        """Read the request.

        Raises:
            ClientGone: there was none, or it was malformed or too large, and was answered.
        """
        try:
            async with asyncio.timeout(REQUEST_DEADLINE):
                return await self._request()
        except TimeoutError:
            raise ClientGone from None

    async def _request(self) -> Request:
        loop, size = asyncio.get_running_loop(), 0
        while True:
            try:
                data = await loop.sock_recv(self.sock, min(_CHUNK, self._max_header - size + 1))
            except OSError:
                raise ClientGone from None
            size += len(data)
            if not data:
                raise ClientGone
            if size > self._max_header:
                text = b"the request is over %d bytes\n" % self._max_header
                await self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, text)
            self.protocol.receive_data(data)
            events = self.protocol.events_received()
            if events and isinstance(events[0], Request):
                if len(events) > 1 or self.protocol.reader.buffer or self.protocol.parser_exc is not None:
                    await self._refuse(HTTPStatus.BAD_REQUEST, _EARLY)
                return events[0]
            if self.protocol.handshake_exc is not None:
                if not any(self.protocol.writes):  # the library answers what is too long, but not what is not HTTP
                    await self._refuse(HTTPStatus.BAD_REQUEST, b"invalid HTTP request\n")
                await self._finish(self.protocol.data_to_send())
                raise ClientGone

    async def _refuse(self, status: HTTPStatus, text: bytes) -> None:
        await self._finish([response(status, text).serialize()])
        raise ClientGone

    async def accept(self, request: Request, subprotocol: str | None) -> bool:
        """Answer an upgrade, and say whether it was accepted."""
        self._chosen = None if subprotocol is None else Subprotocol(subprotocol)
        answer = self.protocol.accept(request)
        self.protocol.send_response(answer)
        if answer.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            await self._flush(self.protocol.data_to_send())
            return True
        await self._finish(self.protocol.data_to_send())
        return False

    async def answer(self, request: Request, answer: Response) -> None:
        """Answer a request and hang up; a HEAD gets no body (RFC 9110, section 9.3.2)."""
        data = answer.serialize()
        if request.method == "HEAD" and answer.body:
            data = data[: -len(answer.body)]
        await self._finish([data])

    async def _finish(self, answer: list[bytes]) -> None:
        """Answer, and read on until the client has it: closing with unread data resets the connection and loses it."""
        await self._flush(answer)
        loop, left = asyncio.get_running_loop(), _LINGER_BYTES
        with contextlib.suppress(OSError, TimeoutError):
            self.sock.shutdown(socket.SHUT_WR)
            async with asyncio.timeout(_LINGER):
                while left > 0 and (data := await loop.sock_recv(self.sock, _CHUNK)):
                    left -= len(data)

    async def _flush(self, pieces: list[bytes]) -> None:
        try:
            async with asyncio.timeout(DEADLINE):
                await asyncio.get_running_loop().sock_sendall(self.sock, b"".join(pieces))
        except (OSError, TimeoutError):
            raise ClientGone from None
