"""Through a proxy: HTTP CONNECT (RFC 9110, section 9.3.6) in the clear or over TLS, and SOCKS."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from wscli.core.failures import Failure, FailureKind
from wscli.net.hosts import without_zone
from wscli.net.proxy import SOCKS
from wscli.net.socks import connect_socks
from wscli.net.tls import TlsSettings, make_tls
from wscli.transport.connection import DialError
from wscli.transport.dial.address import ServerAddress
from wscli.transport.dial.body import first_line, read_body
from wscli.transport.dial.context import USER_AGENT, DialContext
from wscli.transport.dial.proxy import Proxy
from wscli.transport.dial.response import HEAD_END, MAX_HEAD, parse_head
from wscli.transport.dial.tcp import connect_tcp, hang_up

__all__ = ["Conduit", "reach"]


@dataclass(slots=True)
class Conduit:
    """A way to the server: a socket, or the transport of a TLS connection to a proxy."""

    sock: socket.socket
    transport: asyncio.Transport | None = None


async def reach(dial: DialContext, proxy: Proxy | None) -> Conduit:
    """Connect to the server, or to the server through the proxy.

    Raises:
        DialError: the proxy refused.
        OSError, UnicodeError, ProxyException: what the libraries raise; ``failures.failure_of`` knows them.
    """
    if proxy is None:
        return Conduit(await connect_tcp(dial, dial.destination))
    by_socks = proxy.address.scheme in SOCKS
    conduit = await (_through_socks if by_socks else _through_http)(dial, proxy)
    dial.done(f"{proxy.address.scheme if by_socks else 'CONNECT'} through {proxy.server.where}")
    dial.peer = dial.destination
    return conduit


async def _through_socks(dial: DialContext, proxy: Proxy) -> Conduit:
    dial.begin("proxy", proxy.server)  # this step includes DNS and TCP, which the library does
    host, port = dial.destination.host, dial.destination.port or 0
    return Conduit(await connect_socks(proxy.address, without_zone(host), port))


def _connect_request(proxy: Proxy, server: ServerAddress) -> bytes:
    place, credentials = server._replace(host=without_zone(server.host)).netloc, proxy.address
    lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}", f"User-Agent: {USER_AGENT}"]
    if credentials.username is not None:
        pair = base64.b64encode(f"{credentials.username}:{credentials.password}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {pair}")
    return "\r\n".join([*lines, "", ""]).encode()


async def _read_answer(receive: Callable[[int], Awaitable[bytes]], proxy: Proxy) -> None:
    """Read the answer to CONNECT; one that does not open the tunnel raises ``DialError``."""
    answer = b""
    while (end := HEAD_END.search(answer)) is None:
        if len(answer) > MAX_HEAD:
            raise _refused(proxy, f"answered CONNECT with more than {MAX_HEAD} bytes of headers")
        data = await receive(4096)
        if not data:
            raise _refused(proxy, "closed the connection without answering CONNECT")
        answer += data
    rest = answer[end.end() :]
    try:
        parsed = parse_head(answer[: end.start()])
    except ValueError:
        raise _refused(proxy, "did not answer CONNECT with HTTP") from None
    if not 200 <= parsed.status <= 299:
        why = first_line(read_body(parsed, rest)[0])
        text = f"answered CONNECT with {parsed.summary}" + (f": {why}" if why else "")
        raise _refused(proxy, text, credentials=parsed.status == 407)
    if rest:  # neither a TLS nor a WebSocket server speaks first
        raise _refused(proxy, "sent data before the tunnel was used")


def _refused(proxy: Proxy, text: str, *, credentials: bool = False) -> DialError:
    return DialError(Failure(FailureKind.PROXY, f"{proxy.server.where} {text}", refused=credentials))


async def _through_http(dial: DialContext, proxy: Proxy) -> Conduit:
    """Ask for the tunnel with CONNECT, over TLS where the proxy's scheme is https."""
    loop = asyncio.get_running_loop()
    conduit = Conduit(await connect_tcp(dial, proxy.server))
    over_tls = proxy.address.scheme == "https"
    dial.begin("proxy")
    try:
        request = _connect_request(proxy, dial.destination)
        if over_tls:
            # Default settings: the endpoint's client certificate is not for the proxy.
            tls, name = make_tls(TlsSettings()), without_zone(proxy.address.host).removesuffix(".")
            conduit.transport, wire = await loop.create_connection(
                _Received, sock=conduit.sock, ssl=tls, server_hostname=name
            )
            conduit.transport.write(request)
            await _read_answer(wire.data.read, proxy)
        else:
            await loop.sock_sendall(conduit.sock, request)
            await _read_answer(partial(loop.sock_recv, conduit.sock), proxy)
    except BaseException:
        (hang_up if over_tls else socket.socket.close)(conduit.sock)
        raise
    return conduit


class _Received(asyncio.Protocol):
    """Keeps the data of a TLS connection until another protocol replaces this one."""

    def __init__(self) -> None:
        self.data = asyncio.StreamReader()

    def data_received(self, data: bytes) -> None:
        self.data.feed_data(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self.data.set_exception(exc)
        self.data.feed_eof()
