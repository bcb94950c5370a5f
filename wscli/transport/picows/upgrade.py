"""The upgrade by picows, and the answers that only picows refuses."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from picows import (
    WSHandshakeError,
    WSInvalidHeaderError,
    WSInvalidUpgradeError,
    WSUpgradeRequest,
    WSUpgradeResponse,
    ws_connect,
)

from wscli.net.tls import describe
from wscli.transport.connection import DialError
from wscli.transport.dial.context import DialContext, no_upgrade
from wscli.transport.dial.response import ResponseHead, parse_head, refusal
from wscli.transport.dial.tcp import hang_up
from wscli.transport.dial.tunnel import Conduit
from wscli.transport.picows.connection import FrameListener, PicowsConnection
from wscli.transport.silent_logger import SILENT_LOGGER

__all__ = ["OnlyPicowsRefuses", "open_picows"]

_FIRST_BUFFER = 2048
"""Bytes; small for idle connections, it grows with the traffic."""


class OnlyPicowsRefuses(Exception):
    """The answer is an upgrade that picows refuses and ``websockets`` may accept."""


async def open_picows(dial: DialContext, conduit: Conduit) -> PicowsConnection:
    """Upgrade a connection; a failure closes its socket.

    Raises:
        DialError: the answer was not an upgrade.
        OnlyPicowsRefuses: another adapter may accept it.
        OSError: see ``failures.failure_of``.
    """
    dial.begin("tls" if dial.tls is not None else "upgrade")
    try:
        connection = await _connect(dial, conduit)
    except BaseException as error:
        hang_up(conduit.sock)
        if isinstance(error, WSHandshakeError):
            raise _judge(error, dial) from None  # its text quotes the answer
        raise
    if dial.tls is not None:
        steps = dial.timeline.steps
        steps[-1] = replace(steps[-1], detail=describe(connection.tls))
    dial.done("HTTP 101" + (f", subprotocol {connection.subprotocol}" if connection.subprotocol else ""))
    return connection


async def _connect(dial: DialContext, conduit: Conduit) -> PicowsConnection:
    made: list[FrameListener] = []

    def listen(request: WSUpgradeRequest, response: WSUpgradeResponse) -> FrameListener:
        made.append(FrameListener(dial.listener, dial.target.max_message, _subprotocol(response, dial)))
        return made[0]

    try:
        await ws_connect(
            listen,
            f"{dial.url.origin}{dial.url.resource}",
            ssl_context=dial.tls,
            websocket_handshake_timeout=None,
            logger_name=SILENT_LOGGER,
            enable_auto_pong=False,
            max_frame_size=dial.target.max_message,
            extra_headers=_headers(dial),
            max_redirects=0,
            read_buffer_init_size=_FIRST_BUFFER,
            socket_factory=lambda _: conduit.sock,
            use_aiofastnet=False,
            **dial.tls_options,
        )
    except BaseException:
        if made and made[0].connection is not None:  # opened just as the dial was cancelled
            made[0].connection.abort()
        raise
    if not made or made[0].connection is None:  # picows reports a connection that ended as opened
        raise no_upgrade(dial, "closed the connection without answering the upgrade")
    return made[0].connection


def _headers(dial: DialContext) -> Iterator[tuple[str, str]]:
    """Give the headers; picows asks for them right after the TLS handshake, which it does not report."""
    if dial.tls is not None:
        dial.done("TLS")
        dial.begin("upgrade")
    yield from dial.headers
    if dial.target.subprotocols:
        yield "Sec-WebSocket-Protocol", ", ".join(dial.target.subprotocols)


def _subprotocol(response: WSUpgradeResponse, dial: DialContext) -> str | None:
    """Check the extension and subprotocol of the answer (RFC 6455, section 4.1), which picows does not."""
    if response.headers.getall("Sec-WebSocket-Extensions", []):
        raise no_upgrade(dial, "chose an extension that was not offered")
    chosen = [
        name.strip() for line in response.headers.getall("Sec-WebSocket-Protocol", []) for name in line.split(",")
    ]
    if len(chosen) > 1 or (chosen and chosen[0] not in dial.target.subprotocols):
        raise no_upgrade(dial, f"chose a subprotocol that was not offered: {', '.join(chosen)}")
    return chosen[0] if chosen else None


def _judge(error: WSHandshakeError, dial: DialContext) -> DialError | OnlyPicowsRefuses:
    """Parse the refused answer again: picows refuses unregistered statuses, among others."""
    try:
        head = parse_head((error.raw_header or b"").partition(b"\r\n\r\n")[0])
    except ValueError:
        return no_upgrade(dial, "did not answer the upgrade with HTTP")
    if head.status >= 200:
        return DialError(refusal(head, dial.peer.where, time.time()))
    if head.status == 101:
        if isinstance(error, WSInvalidHeaderError) and error.name == "Sec-WebSocket-Accept":
            return no_upgrade(dial, "answered the upgrade with a wrong Sec-WebSocket-Accept")
        if isinstance(error, WSInvalidUpgradeError) and not _is_upgrade(head):
            return no_upgrade(dial, f"answered the upgrade without a valid {error.name} header")
    return OnlyPicowsRefuses(str(error))


def _is_upgrade(head: ResponseHead) -> bool:
    """Whether the headers are an upgrade if they are read as lists (RFC 9110, section 5.6.1)."""
    tokens: dict[str, set[str]] = {name: set() for name in ("connection", "upgrade")}
    for name, value in head.headers:
        if name in tokens:
            tokens[name] |= {token.strip().lower() for token in value.split(",")}
    return "upgrade" in tokens["connection"] and tokens["upgrade"] == {"websocket"}
