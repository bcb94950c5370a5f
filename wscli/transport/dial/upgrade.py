"""The upgrade of a connection to WebSocket, for both adapters: the request, and the head of its answer."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, cast

from websockets.extensions import ClientExtensionFactory
from websockets.headers import build_extension

from wscli.net.origin import REDIRECTS
from wscli.net.tls import describe
from wscli.transport.connection import DialError
from wscli.transport.dial.agreement import Agreement, agree
from wscli.transport.dial.body import MAX_BODY, first_line, read_body
from wscli.transport.dial.context import DialContext, no_upgrade
from wscli.transport.dial.response import HEAD_END, MAX_HEAD, ResponseHead, parse_head, refusal
from wscli.transport.dial.tcp import hang_up
from wscli.transport.dial.tunnel import Conduit

__all__ = ["upgrade"]

_HTTP = re.compile(rb"HTTP/", re.IGNORECASE)
_TLS_ALERT = b"\x15\x03"
"""The type and version of a TLS record (RFC 8446, section 5.1)."""
_BODY_WAIT = 0.5
"""Seconds for the beginning of a refusal's body to follow its head."""
_MAX_INTERIM = 16
"""Answers before the final one, such as early hints."""
_Protocol = TypeVar("_Protocol", bound=asyncio.BaseProtocol)


async def upgrade(
    dial: DialContext,
    conduit: Conduit,
    take_over: Callable[[asyncio.Transport, DialContext, Agreement, bytes], _Protocol],
    extensions: Sequence[ClientExtensionFactory] = (),
) -> _Protocol:
    """Upgrade a connection; a failure closes its socket.

    ``take_over`` makes the protocol of the open connection; its last argument is the data received behind the answer.

    Raises:
        DialError: the answer was not an upgrade.
        OSError: see ``failures.failure_of``.
    """
    handshake = _Handshake(dial, take_over, extensions)
    try:
        dial.begin("tls" if dial.tls is not None else "upgrade")
        await _attach(handshake, conduit, dial)
        return await handshake.answered
    except BaseException:
        if handshake.transport is not None:
            handshake.transport.abort()
        hang_up(conduit.sock)
        raise


async def _attach(handshake: _Handshake[_Protocol], conduit: Conduit, dial: DialContext) -> None:
    """Connect the protocol to the socket, through TLS for ``wss``."""
    loop = asyncio.get_running_loop()
    if conduit.transport is None:
        await loop.create_connection(lambda: handshake, sock=conduit.sock, ssl=dial.tls, **dial.tls_options)
        return
    transport: asyncio.Transport | None = conduit.transport
    if dial.tls is None:
        conduit.transport.set_protocol(handshake)
    else:
        transport = await loop.start_tls(conduit.transport, handshake, dial.tls, **dial.tls_options)
    if transport is None or transport.is_closing():
        raise ConnectionResetError
    handshake.connection_made(transport)


class _Handshake(asyncio.Protocol, Generic[_Protocol]):
    """Sends the request, reads the head of the answer, and then replaces itself with the connection."""

    def __init__(
        self,
        dial: DialContext,
        take_over: Callable[[asyncio.Transport, DialContext, Agreement, bytes], _Protocol],
        extensions: Sequence[ClientExtensionFactory],
    ) -> None:
        self.answered: asyncio.Future[_Protocol] = asyncio.get_running_loop().create_future()
        # The dial may no longer await it when it fails.
        self.answered.add_done_callback(lambda answered: answered.cancelled() or answered.exception())
        self.transport: asyncio.Transport | None = None
        self._dial = dial
        self._take_over = take_over
        self._extensions = extensions
        self._key = base64.b64encode(os.urandom(16)).decode()
        self._answer = b""
        self._interim = 0
        self._refusal: ResponseHead | None = None
        """The head of an answer that refuses the upgrade, while its body is read."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport = cast(asyncio.Transport, transport)
        if self._dial.step == "tls":
            self._dial.done(describe(transport.get_extra_info("ssl_object")))
            self._dial.begin("upgrade")
        transport.write(self._request())

    def _request(self) -> bytes:
        headers = [
            *self._dial.headers,
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Key", self._key),
            ("Sec-WebSocket-Version", "13"),
        ]
        if self._extensions:
            offers = [(factory.name, list(factory.get_request_params())) for factory in self._extensions]
            self._dial.exchange.extensions = build_extension(offers)
            headers.append(("Sec-WebSocket-Extensions", self._dial.exchange.extensions))
        if self._dial.target.subprotocols:
            headers.append(("Sec-WebSocket-Protocol", ", ".join(self._dial.target.subprotocols)))
        self._dial.exchange.headers = tuple(name for name, _ in headers)
        lines = [f"GET {self._dial.url.resource} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def data_received(self, data: bytes) -> None:
        """Read until the head is complete; the rest belongs to the connection."""
        if self.answered.done():
            return
        self._answer += data
        try:
            if self._refusal is None:
                self._read()
            else:
                self._read_body(self._refusal)
        except Exception as error:  # raised or translated where the answer is awaited
            self.answered.set_exception(error)

    def _read(self) -> None:
        """Handle each whole head: interim answers (RFC 9110, section 15.2), then the final one."""
        while (head := self._next_head()) is not None:
            if head.status != 101 and head.status < 200:
                self._interim += 1
                if self._interim > _MAX_INTERIM:
                    raise no_upgrade(self._dial, f"sent more than {_MAX_INTERIM} interim answers to the upgrade")
                continue
            exchange = self._dial.exchange
            exchange.status, exchange.phrase, exchange.answer = head.status, head.phrase, head.headers
            if head.status == 101:
                self._finish(head)
            else:
                self._refuse(head)
            return

    def _next_head(self) -> ResponseHead | None:
        """Take a head from the received data; None until it is complete."""
        if not _HTTP.match(self._answer + b"HTTP/"[len(self._answer) :]):
            raise self._not_http()
        end = HEAD_END.search(self._answer, 0, MAX_HEAD + 4)
        if end is None and len(self._answer) > MAX_HEAD:
            raise no_upgrade(self._dial, f"answered the upgrade with more than {MAX_HEAD} bytes of headers")
        if end is None:
            return None
        try:
            head = parse_head(self._answer[: end.start()])
        except ValueError:
            raise self._not_http() from None
        self._answer = self._answer[end.end() :]
        return head

    def _not_http(self) -> DialError:
        """Say what the server speaks instead, as far as that is known."""
        if self._answer.startswith(_TLS_ALERT):
            return no_upgrade(self._dial, "did not answer the upgrade with HTTP, but with TLS: is it wss://?")
        said = first_line(self._answer[:MAX_BODY].decode(errors="replace"))
        return no_upgrade(self._dial, "did not answer the upgrade with HTTP" + (f": {said}" if said else ""))

    def _refuse(self, head: ResponseHead) -> None:
        """Read the beginning of the body, which says why, unless it is the page of a redirect."""
        self._refusal = head
        if head.status in REDIRECTS:
            self._refused()
            return
        loop = asyncio.get_running_loop()
        left = self._dial.deadline - loop.time()
        timer = loop.call_later(min(_BODY_WAIT, left / 2), self._refused)
        self.answered.add_done_callback(lambda _: timer.cancel())
        self._read_body(head)

    def _read_body(self, head: ResponseHead) -> None:
        self._dial.exchange.body, complete = read_body(head, self._answer)
        if complete or len(self._answer) > MAX_HEAD:  # a chunk size may have no end
            self._refused()

    def _refused(self) -> None:
        if self._refusal is not None and not self.answered.done():
            why = first_line(self._dial.exchange.body)
            self.answered.set_exception(DialError(refusal(self._refusal, self._dial.peer.where, time.time(), why)))

    def _finish(self, head: ResponseHead) -> None:
        if self.transport is None:
            raise ConnectionResetError
        try:
            agreement = agree(head, self._key, self._dial.target.subprotocols, self._extensions)
        except ValueError as broken:
            raise no_upgrade(self._dial, f"sent an invalid upgrade answer: {broken}") from None
        self._dial.done(agreement.summary)
        connection = self._take_over(self.transport, self._dial, agreement, self._answer)
        self.transport.set_protocol(connection)
        self.answered.set_result(connection)

    def connection_lost(self, exc: Exception | None) -> None:
        self._refused()
        if not self.answered.done():
            so_far = "in the middle of its answer" if self._answer else "without answering the upgrade"
            self.answered.set_exception(exc or no_upgrade(self._dial, f"closed the connection {so_far}"))
