"""The HTTP exchange with a client: one request is read, within limits, and answered."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from email.utils import formatdate
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

import h11
from websockets.datastructures import Headers
from websockets.http11 import Request, Response
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from wscli.tasks import unless
from wscli.transport.silent_logger import SILENT_LOGGER

__all__ = ["DEADLINE", "Handshake", "ClientGone", "response"]

T = TypeVar("T")

DEADLINE = 10.0
"""Seconds for a client to take the answer, to send a body, or, attached, to send its request."""
REQUEST_DEADLINE = 3.0
"""Seconds for a client of the network to send its request."""
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
    if status != HTTPStatus.NO_CONTENT:  # RFC 9110, section 8.6
        all_headers.update({"Content-Length": str(len(body)), "Content-Type": content_type})
    all_headers.update(headers)
    return Response(status, HTTPStatus(status).phrase if phrase is None else phrase, all_headers, body)


class Handshake:
    """One client and its request; its socket is non-blocking.

    ``max_header`` is in bytes of the request's line and headers, ``max_message`` in bytes of a message or a body.
    """

    def __init__(self, sock: socket.socket, *, max_header: int, max_message: int, attached: bool = False) -> None:
        self.sock = sock
        self._attached = attached
        self.max_message = max_message
        self.http = h11.Connection(h11.SERVER, max_incomplete_event_size=max_header)
        self._max_header = max_header
        self.protocol = ServerProtocol(state=OPEN, max_size=max_message, logger=SILENT_LOGGER)
        """The client's WebSocket connection, once it is accepted."""
        self.dropped = False
        """Whether ``drop`` was called."""

    async def request(self) -> Request:
        """Read the request's line and headers.

        Raises:
            ClientGone: there was none, or it was malformed or too large, and was answered.
        """
        try:
            async with asyncio.timeout(DEADLINE if self._attached else REQUEST_DEADLINE):
                return await self._request()
        except TimeoutError:
            raise ClientGone from None

    async def _request(self) -> Request:
        size = 0
        while True:
            data = await self._receive(min(_CHUNK, self._max_header - size + 1))
            size += len(data)
            event = await self._parse(data)
            if size - len(self.http.trailing_data[0]) > self._max_header:
                await self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, self._too_large)
            if isinstance(event, h11.Request):
                headers = Headers([(name.decode(), value.decode("latin-1")) for name, value in event.headers])
                version = f"HTTP/{event.http_version.decode()}"
                return Request(event.target.decode(), headers, event.method.decode(), version)

    async def body(self, request: Request) -> bytes | None:
        """Read the request's body, which a client that asks so is told to send; None if it is over ``max_message``.

        Raises:
            ClientGone: the client hung up or stalled before its end, or sent it malformed, which was answered.
        """
        if int(request.headers.get("Content-Length", "0")) > self.max_message:  # digits, or h11 had refused it
            return None
        try:
            async with asyncio.timeout(DEADLINE):
                return await self._body()
        except TimeoutError:
            text = b"the body of the request did not arrive within %d seconds\n" % DEADLINE
            await self._refuse(HTTPStatus.REQUEST_TIMEOUT, text)

    async def _body(self) -> bytes | None:
        body = bytearray()
        event = await self._parse(None)
        while not isinstance(event, h11.EndOfMessage):
            if isinstance(event, h11.Data):
                body += event.data
                if len(body) > self.max_message:
                    return None
                event = await self._parse(None)
                continue
            if self.http.they_are_waiting_for_100_continue:
                await self._flush([self.http.send(h11.InformationalResponse(status_code=100, headers=[])) or b""])
            event = await self._parse(await self._receive(_CHUNK))
        return bytes(body)

    async def _receive(self, most: int) -> bytes:
        await asyncio.sleep(0)  # a client that sends faster than it is read would hold the loop
        try:
            data = await asyncio.get_running_loop().sock_recv(self.sock, most)
        except OSError:
            raise ClientGone from None
        if not data:
            raise ClientGone
        return data

    async def _parse(self, data: bytes | None) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """Parse more bytes and give the next event; with None, of the bytes that were received before."""
        try:
            if data is not None:
                self.http.receive_data(data)
            return self.http.next_event()
        except h11.RemoteProtocolError as error:
            status = HTTPStatus(error.error_status_hint)
            too_large = status is HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            why = str(error).partition(": b")[0]  # what it quotes behind that may hold the token
            await self._refuse(status, self._too_large if too_large else f"invalid HTTP request: {why}\n".encode())

    @property
    def _too_large(self) -> bytes:
        return b"the request is over %d bytes\n" % self._max_header

    async def _refuse(self, status: HTTPStatus, text: bytes) -> NoReturn:
        await self._finish([response(status, text).serialize()])
        raise ClientGone

    def refusal(self, request: Request) -> Response | None:
        """Give the answer to an invalid upgrade; None for a valid one."""
        answer = ServerProtocol(logger=SILENT_LOGGER).accept(request)
        return None if answer.status_code == HTTPStatus.SWITCHING_PROTOCOLS else answer

    async def accept(self, request: Request, subprotocol: str | None) -> bool:
        """Answer an upgrade, and say whether it was accepted.

        Raises:
            ClientGone: the client sent more than its request, and was refused.
        """
        if not isinstance(await self._parse(None), h11.EndOfMessage) or self.http.trailing_data[0]:
            await self._refuse(HTTPStatus.BAD_REQUEST, _EARLY)
        chosen = None if subprotocol is None else Subprotocol(subprotocol)
        upgrade = ServerProtocol(logger=SILENT_LOGGER, select_subprotocol=lambda protocol, offered: chosen)
        answer = upgrade.accept(request)
        if answer.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            await self._flush([answer.serialize()])
            return True
        await self._finish([answer.serialize()])
        return False

    async def answer(self, request: Request, answer: Response) -> None:
        """Answer a request and hang up; a HEAD gets no body (RFC 9110, section 9.3.2).

        Only an attached client gets a ``Location``, which would lead others past the manager and may hold secrets.
        """
        if not self._attached:
            answer.headers.pop("Location", None)
        data = answer.serialize()
        if request.method == "HEAD" and answer.body:
            data = data[: -len(answer.body)]
        await self._finish([data])

    async def while_connected(self, work: Coroutine[Any, Any, T]) -> T:
        """Await work, and cancel it when the client hangs up, or sends more and more behind its request.

        Raises:
            ClientGone: it did.
        """
        return await unless(work, self._hung_up())

    def drop(self) -> None:
        """Have the kernel forget what the client did not take, and reset the connection as it is closed."""
        self.dropped = True
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    @contextmanager
    def watched(self, gone: Callable[[], None]) -> Iterator[None]:
        """Call ``gone`` once the client hangs up; what it sends is left unread."""
        loop = asyncio.get_running_loop()

        def look() -> None:
            try:
                left = not self.sock.recv(1, socket.MSG_PEEK)
            except BlockingIOError:
                return
            except OSError:
                left = True
            loop.remove_reader(self.sock)
            if left:
                gone()

        loop.add_reader(self.sock, look)
        try:
            yield
        finally:
            loop.remove_reader(self.sock)

    @asynccontextmanager
    async def unless_gone(self) -> AsyncIterator[None]:
        """Cancel the block when the client hangs up; what it sends is left unread.

        Raises:
            ClientGone: it did.
        """
        loop, scope = asyncio.get_running_loop(), asyncio.timeout(None)
        try:
            async with scope:
                with self.watched(lambda: scope.reschedule(loop.time())):
                    yield
        except TimeoutError:
            if scope.expired():
                raise ClientGone from None
            raise

    async def _hung_up(self) -> NoReturn:
        left = _LINGER_BYTES
        while left > 0:
            left -= len(await self._receive(_CHUNK))
        raise ClientGone

    async def _finish(self, answer: list[bytes]) -> None:
        await self._flush(answer)
        await self.hang_up()

    async def hang_up(self) -> None:
        """Read on until the client has the answer: closing with unread data resets the connection and loses it."""
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
