"""The upgrade by ``websockets``: the request out, the answer in, and the socket handed over to a link."""

from __future__ import annotations

import asyncio
import time
from typing import cast

from websockets.client import ClientProtocol
from websockets.datastructures import Headers
from websockets.extensions.permessage_deflate import enable_client_permessage_deflate
from websockets.http11 import Request
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from wscli.core.events import Failure, FailureKind
from wscli.transport.batch import Assembler
from wscli.transport.course import Course
from wscli.transport.head import MAX_HEAD, parse_head, refusal
from wscli.transport.link import DialError
from wscli.transport.quiet import QUIET
from wscli.transport.tcp import hang_up, heard
from wscli.transport.tls import describe
from wscli.transport.tunnel import Conduit
from wscli.transport.ws import WebsocketsLink

__all__ = ["open_websockets"]


async def open_websockets(course: Course, conduit: Conduit) -> WebsocketsLink:
    """Upgrade the connection that ``conduit`` is; whatever stops it, the socket is closed.

    Raises:
        DialError: the answer was no upgrade.
        OSError, InvalidHandshake: what ``failures.translate`` knows.

    """
    target, address = course.target, course.address
    wire = ClientProtocol(
        WebSocketURI(address.secure, address.place.host, address.place.port, address.path, address.query),
        extensions=enable_client_permessage_deflate(None) if target.compression == "deflate" else None,
        subprotocols=[Subprotocol(name) for name in target.subprotocols] or None,
        max_size=target.max_message,
        logger=QUIET,
    )
    upgrade = _Upgrade(course, wire)
    try:
        course.begin("tls" if course.tls is not None else "upgrade")
        await _attach(upgrade, conduit, course)
        return await upgrade.answered
    except BaseException:
        if upgrade.transport is not None:
            upgrade.transport.abort()
        hang_up(conduit.sock)
        raise


def _request(wire: ClientProtocol, ours: list[tuple[str, str]]) -> Request:
    request = wire.connect()
    headers = Headers()
    for name, value in ours:
        headers[name] = value
    for name, value in request.headers.raw_items():
        if name.lower() != "host":
            headers[name] = value
    return Request(request.path, headers)


async def _attach(upgrade: _Upgrade, conduit: Conduit, course: Course) -> None:
    """Put a transport, with TLS where there is some, between the socket and the protocol."""
    loop = asyncio.get_running_loop()
    patience = course.target.timeout + 60.0  # the dial's own deadline comes first
    if conduit.transport is None:
        secure = course.tls is not None
        await loop.create_connection(
            lambda: upgrade,
            sock=conduit.sock,
            ssl=course.tls,
            server_hostname=course.server_name if secure else None,
            ssl_handshake_timeout=patience if secure else None,
            ssl_shutdown_timeout=1.0 if secure else None,
        )
        return
    transport: asyncio.Transport | None = conduit.transport
    if course.tls is None:
        conduit.transport.set_protocol(upgrade)
    else:
        transport = await loop.start_tls(
            conduit.transport,
            upgrade,
            course.tls,
            server_hostname=course.server_name,
            ssl_handshake_timeout=patience,
            ssl_shutdown_timeout=1.0,
        )
    if transport is None or transport.is_closing():
        raise ConnectionResetError
    upgrade.connection_made(transport)


class _Upgrade(asyncio.Protocol):
    """Sends the request, reads the answer's head and no more, and then lets a link take its place."""

    def __init__(self, course: Course, wire: ClientProtocol) -> None:
        self.answered: asyncio.Future[WebsocketsLink] = asyncio.get_running_loop().create_future()
        self.answered.add_done_callback(heard)
        self.transport: asyncio.Transport | None = None
        self._course = course
        self._wire = wire
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        self.transport = transport = cast(asyncio.Transport, transport)
        if self._course.step == "tls":
            self._course.done(describe(transport.get_extra_info("ssl_object")))
            self._course.begin("upgrade")
        self._wire.send_request(_request(self._wire, self._course.headers))
        transport.write(b"".join(self._wire.data_to_send()))

    def data_received(self, data: bytes) -> None:
        """Read on until the head is complete; the rest belongs to the link."""
        if self.answered.done():
            return
        self._answer += data
        try:
            self._read()
        except Exception as error:  # handed to who awaits the answer, where each is translated or raised
            self.answered.set_exception(error)

    def _read(self) -> None:
        where = self._course.place.where
        while True:
            if not self._answer.startswith(b"HTTP/"[: len(self._answer)]):
                raise _no_upgrade(f"{where} did not answer the upgrade with HTTP")
            head, complete, rest = self._answer.partition(b"\r\n\r\n")
            if len(head) > MAX_HEAD:
                raise _no_upgrade(f"{where} answered the upgrade with more than {MAX_HEAD} bytes of headers")
            if not complete:
                return
            try:
                parsed = parse_head(head)
            except ValueError:
                raise _no_upgrade(f"{where} did not answer the upgrade with HTTP") from None
            if parsed.status == 101:
                self._finish(head + complete, rest)
                return
            if parsed.status >= 200:
                raise DialError(refusal(parsed, where, time.time()))
            self._answer = rest  # an interim answer (RFC 9110, section 15.2)

    def _finish(self, head: bytes, rest: bytes) -> None:
        wire, transport = self._wire, self.transport
        wire.receive_data(head)
        if wire.handshake_exc is not None or transport is None:
            raise wire.handshake_exc or ConnectionResetError
        wire.events_received()
        found = ["HTTP 101"]
        if wire.subprotocol:
            found.append(f"subprotocol {wire.subprotocol}")
        found += [extension.name for extension in wire.extensions]
        self._course.done(", ".join(found))
        assembler = Assembler(self._course.target.max_message)
        link = WebsocketsLink(transport, self._course.listener, wire, assembler, rest)
        transport.set_protocol(link)
        self.answered.set_result(link)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits."""
        if not self.answered.done():
            where = self._course.place.where
            so_far = "in the middle of its answer" if self._answer else "without answering the upgrade"
            self.answered.set_exception(exc or _no_upgrade(f"{where} closed the connection {so_far}"))


def _no_upgrade(text: str) -> DialError:
    return DialError(Failure(FailureKind.UPGRADE, text))
