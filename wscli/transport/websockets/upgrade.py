"""The upgrade by ``websockets``."""

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

from wscli.net.tls import describe
from wscli.transport.connection import DialError
from wscli.transport.dial.context import DialContext, no_upgrade
from wscli.transport.dial.response import MAX_HEAD, parse_head, refusal
from wscli.transport.dial.tcp import hang_up
from wscli.transport.dial.tunnel import Conduit
from wscli.transport.frames.batch import Assembler
from wscli.transport.silent_logger import SILENT_LOGGER
from wscli.transport.websockets.connection import WebsocketsConnection

__all__ = ["open_websockets"]


async def open_websockets(dial: DialContext, conduit: Conduit) -> WebsocketsConnection:
    """Upgrade a connection; a failure closes its socket.

    Raises:
        DialError: the answer was not an upgrade.
        OSError, InvalidHandshake: see ``failures.failure_of``.
    """
    target, address = dial.target, dial.url
    wire = ClientProtocol(
        WebSocketURI(address.scheme == "wss", address.server.host, address.server.port, address.resource, ""),
        extensions=enable_client_permessage_deflate(None) if target.compression == "deflate" else None,
        subprotocols=[Subprotocol(name) for name in target.subprotocols] or None,
        max_size=target.max_message,
        logger=SILENT_LOGGER,
    )
    upgrade = _Upgrade(dial, wire)
    try:
        dial.begin("tls" if dial.tls is not None else "upgrade")
        await _attach(upgrade, conduit, dial)
        return await upgrade.answered
    except BaseException:
        if upgrade.transport is not None:
            upgrade.transport.abort()
        hang_up(conduit.sock)
        raise


async def _attach(upgrade: _Upgrade, conduit: Conduit, dial: DialContext) -> None:
    """Connect the protocol to the socket, through TLS for ``wss``."""
    loop = asyncio.get_running_loop()
    if conduit.transport is None:
        await loop.create_connection(lambda: upgrade, sock=conduit.sock, ssl=dial.tls, **dial.tls_options)
        return
    transport: asyncio.Transport | None = conduit.transport
    if dial.tls is None:
        conduit.transport.set_protocol(upgrade)
    else:
        transport = await loop.start_tls(conduit.transport, upgrade, dial.tls, **dial.tls_options)
    if transport is None or transport.is_closing():
        raise ConnectionResetError
    upgrade.connection_made(transport)


class _Upgrade(asyncio.Protocol):
    """Sends the request, reads the head of the answer, and then replaces itself with the connection."""

    def __init__(self, dial: DialContext, wire: ClientProtocol) -> None:
        self.answered: asyncio.Future[WebsocketsConnection] = asyncio.get_running_loop().create_future()
        # The dial may no longer await it when it fails.
        self.answered.add_done_callback(lambda answered: answered.cancelled() or answered.exception())
        self.transport: asyncio.Transport | None = None
        self._dial = dial
        self._wire = wire
        self._answer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport = cast(asyncio.Transport, transport)
        if self._dial.step == "tls":
            self._dial.done(describe(transport.get_extra_info("ssl_object")))
            self._dial.begin("upgrade")
        request = self._wire.connect()
        theirs = ((name, value) for name, value in request.headers.raw_items() if name.lower() != "host")
        self._wire.send_request(Request(request.path, Headers([*self._dial.headers, *theirs])))
        transport.write(b"".join(self._wire.data_to_send()))

    def data_received(self, data: bytes) -> None:
        """Read until the head is complete; the rest belongs to the connection."""
        if self.answered.done():
            return
        self._answer += data
        try:
            self._read()
        except Exception as error:  # raised or translated where the answer is awaited
            self.answered.set_exception(error)

    def _read(self) -> None:
        where = self._dial.peer.where
        while True:
            if not self._answer.startswith(b"HTTP/"[: len(self._answer)]):
                raise no_upgrade(self._dial, "did not answer the upgrade with HTTP")
            head, complete, rest = self._answer.partition(b"\r\n\r\n")
            if len(head) > MAX_HEAD:
                raise no_upgrade(self._dial, f"answered the upgrade with more than {MAX_HEAD} bytes of headers")
            if not complete:
                return
            try:
                parsed = parse_head(head)
            except ValueError:
                raise no_upgrade(self._dial, "did not answer the upgrade with HTTP") from None
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
        self._dial.done(", ".join(found))
        assembler = Assembler(self._dial.target.max_message)
        connection = WebsocketsConnection(transport, self._dial.listener, wire, assembler, rest)
        transport.set_protocol(connection)
        self.answered.set_result(connection)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answered.done():
            so_far = "in the middle of its answer" if self._answer else "without answering the upgrade"
            self.answered.set_exception(exc or no_upgrade(self._dial, f"closed the connection {so_far}"))
