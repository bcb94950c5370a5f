"""The upgrade by picows, and what to make of the answers that it refuses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from picows import (
    WSHandshakeError,
    WSInvalidHeaderError,
    WSInvalidUpgradeError,
    WSUpgradeRequest,
    WSUpgradeResponse,
    ws_connect,
)

from wscli.core.events import Failure, FailureKind
from wscli.net.tls import describe
from wscli.transport.dial.context import DialContext
from wscli.transport.dial.response import ResponseHead, parse_head, refusal
from wscli.transport.dial.tcp import hang_up
from wscli.transport.dial.tunnel import Conduit
from wscli.transport.link import DialError
from wscli.transport.picows.connection import FastLink, Frames
from wscli.transport.silent_logger import SILENT_LOGGER

__all__ = ["OnlyPicowsRefuses", "open_picows"]

_FIRST_BUFFER = 2048
"""Bytes: it grows with the traffic, and idle connections are many."""


class OnlyPicowsRefuses(Exception):
    """The answer is an upgrade, in a form that picows does not take and ``websockets`` may."""


async def open_picows(dial: DialContext, conduit: Conduit) -> FastLink:
    """Upgrade the connection that ``conduit`` is; whatever stops it, the socket is closed.

    Raises:
        DialError: the answer was no upgrade.
        OnlyPicowsRefuses: another adapter may fare better.
        OSError: what ``failures.failure_of`` knows.

    """
    dial.begin("tls" if dial.tls is not None else "upgrade")
    try:
        link = await _connect(dial, conduit)
    except BaseException as error:
        hang_up(conduit.sock)
        if isinstance(error, WSHandshakeError):
            raise _judge(error, dial) from None  # its text quotes the answer
        raise
    if dial.tls is not None:
        dial.amend("tls", describe(link.tls))
    dial.done("HTTP 101" + (f", subprotocol {link.subprotocol}" if link.subprotocol else ""))
    return link


async def _connect(dial: DialContext, conduit: Conduit) -> FastLink:
    made: list[Frames] = []

    def listen(request: WSUpgradeRequest, response: WSUpgradeResponse) -> Frames:
        made.append(Frames(dial.listener, dial.target.max_message, _subprotocol(response, dial)))
        return made[0]

    try:
        await _ws_connect(dial, conduit, listen)
    except BaseException:
        if made and made[0].link is not None:  # opened, just when the dial was given up
            made[0].link.abort()
        raise
    if not made or made[0].link is None:  # picows takes a connection that ended for one that opened
        raise _no_upgrade(dial, "closed the connection without answering the upgrade")
    return made[0].link


async def _ws_connect(
    dial: DialContext, conduit: Conduit, listen: Callable[[WSUpgradeRequest, WSUpgradeResponse], Frames]
) -> None:
    target = dial.target
    headers = list(dial.headers)
    if target.subprotocols:
        headers.append(("Sec-WebSocket-Protocol", ", ".join(target.subprotocols)))
    for_tls: dict[str, Any] = {
        "server_hostname": dial.server_name,
        "ssl_handshake_timeout": target.timeout + 60.0,  # the dial's own deadline comes first
        "ssl_shutdown_timeout": 1.0,
    }
    await ws_connect(
        listen,
        f"{dial.url.origin}{dial.url.resource}",
        ssl_context=dial.tls,
        websocket_handshake_timeout=None,
        logger_name=SILENT_LOGGER,
        enable_auto_pong=False,
        max_frame_size=target.max_message,
        extra_headers=_Announced(headers, lambda: _tls_done(dial)),
        max_redirects=0,
        read_buffer_init_size=_FIRST_BUFFER,
        socket_factory=lambda _: conduit.sock,
        use_aiofastnet=False,
        **(for_tls if dial.tls is not None else {}),
    )


class _Announced:
    """Headers that tell when they are asked for: right after the TLS handshake, which picows does not tell."""

    def __init__(self, headers: list[tuple[str, str]], asked: Callable[[], None]) -> None:
        self._headers = headers
        self._asked = asked

    def __iter__(self) -> Iterator[tuple[str, str]]:
        self._asked()
        return iter(self._headers)


def _tls_done(dial: DialContext) -> None:
    if dial.step == "tls":
        dial.done("TLS")
        dial.begin("upgrade")


def _subprotocol(response: WSUpgradeResponse, dial: DialContext) -> str | None:
    """Give the subprotocol that the server chose; picows leaves RFC 6455, section 4.1, steps 5 and 6, to its user."""
    if response.headers.getall("Sec-WebSocket-Extensions", []):
        raise _no_upgrade(dial, "chose an extension that was not offered")
    chosen = [
        name.strip() for line in response.headers.getall("Sec-WebSocket-Protocol", []) for name in line.split(",")
    ]
    if len(chosen) > 1 or (chosen and chosen[0] not in dial.target.subprotocols):
        raise _no_upgrade(dial, f"chose a subprotocol that was not offered: {', '.join(chosen)}")
    return chosen[0] if chosen else None


def _no_upgrade(dial: DialContext, text: str) -> DialError:
    return DialError(Failure(FailureKind.UPGRADE, f"{dial.peer.where} {text}"))


def _judge(error: WSHandshakeError, dial: DialContext) -> DialError | OnlyPicowsRefuses:
    """Read the refused answer again: picows knows no status beyond the registered ones, among other things."""
    try:
        head = parse_head((error.raw_header or b"").partition(b"\r\n\r\n")[0])
    except ValueError:
        return _no_upgrade(dial, "did not answer the upgrade with HTTP")
    if head.status >= 200:
        return DialError(refusal(head, dial.peer.where, time.time()))
    if head.status == 101:
        if isinstance(error, WSInvalidHeaderError) and error.name == "Sec-WebSocket-Accept":
            return _no_upgrade(dial, "answered the upgrade with a wrong Sec-WebSocket-Accept")
        if isinstance(error, WSInvalidUpgradeError) and not _is_upgrade(head):
            return _no_upgrade(dial, f"answered the upgrade without a valid {error.name} header")
    return OnlyPicowsRefuses(str(error))


def _is_upgrade(head: ResponseHead) -> bool:
    """Whether the headers are an upgrade to those who read them as lists (RFC 9110, section 5.6.1)."""
    tokens: dict[str, set[str]] = {name: set() for name in ("connection", "upgrade")}
    for name, value in head.headers:
        if name in tokens:
            tokens[name] |= {token.strip().lower() for token in value.split(",")}
    return "upgrade" in tokens["connection"] and tokens["upgrade"] == {"websocket"}
