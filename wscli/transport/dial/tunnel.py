"""Through a proxy: HTTP CONNECT (RFC 9110, section 9.3.6) in the clear or over TLS, and SOCKS by python-socks."""

from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial

from python_socks import ProxyType
from python_socks.async_.asyncio import Proxy as SocksProxy

from wscli.core.events import Failure, FailureKind
from wscli.net.tls import TlsSettings, make_tls
from wscli.transport.connection import DialError
from wscli.transport.dial.address import ServerAddress
from wscli.transport.dial.body import first_line, read_body
from wscli.transport.dial.context import USER_AGENT, DialContext
from wscli.transport.dial.proxy import Proxy
from wscli.transport.dial.response import MAX_HEAD, parse_head
from wscli.transport.dial.tcp import connect_tcp, hang_up

__all__ = ["Conduit", "reach"]

# The "h" and the "a" leave the name to the proxy, as in curl.
_SOCKS = {
    "socks5h": (ProxyType.SOCKS5, True),
    "socks5": (ProxyType.SOCKS5, False),
    "socks4a": (ProxyType.SOCKS4, True),
    "socks4": (ProxyType.SOCKS4, False),
}


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
    server = dial.url.server
    if proxy is None:
        return Conduit(await connect_tcp(dial, server))
    by_socks = proxy.scheme in _SOCKS
    conduit = await (_through_socks if by_socks else _through_http)(dial, proxy)
    dial.done(f"{proxy.scheme if by_socks else 'CONNECT'} through {proxy.server.where}")
    dial.peer = server
    return conduit


async def _through_socks(dial: DialContext, proxy: Proxy) -> Conduit:
    dial.begin("proxy", proxy.server)  # this step includes DNS and TCP, which the library does
    server = dial.url.server
    kind, by_name = _SOCKS[proxy.scheme]
    socks = SocksProxy(kind, proxy.server.host, proxy.server.port, proxy.username, proxy.password, by_name)
    # The dial's deadline is earlier than the library's.
    return Conduit(await socks.connect(server.host, server.port, timeout=dial.target.timeout + 60.0))


def _connect_request(proxy: Proxy, server: ServerAddress) -> bytes:
    lines = [f"CONNECT {server.netloc} HTTP/1.1", f"Host: {server.netloc}", f"User-Agent: {USER_AGENT}"]
    if proxy.username is not None:
        pair = base64.b64encode(f"{proxy.username}:{proxy.password}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {pair}")
    return "\r\n".join([*lines, "", ""]).encode()


async def _read_answer(receive: Callable[[int], Awaitable[bytes]], proxy: Proxy) -> None:
    """Read the answer to CONNECT; one that does not open the tunnel raises ``DialError``."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        if len(answer) > MAX_HEAD:
            raise _refused(proxy, f"answered CONNECT with more than {MAX_HEAD} bytes of headers")
        data = await receive(4096)
        if not data:
            raise _refused(proxy, "closed the connection without answering CONNECT")
        answer += data
    head, _, rest = answer.partition(b"\r\n\r\n")
    try:
        parsed = parse_head(head)
    except ValueError:
        raise _refused(proxy, "did not answer CONNECT with HTTP") from None
    if not 200 <= parsed.status <= 299:
        why = first_line(read_body(parsed, rest)[0])
        raise _refused(proxy, f"answered CONNECT with {parsed.summary}" + (f": {why}" if why else ""))
    if rest:  # neither a TLS nor a WebSocket server speaks first
        raise _refused(proxy, "sent data before the tunnel was used")


def _refused(proxy: Proxy, text: str) -> DialError:
    return DialError(Failure(FailureKind.PROXY, f"{proxy.server.where} {text}"))


async def _through_http(dial: DialContext, proxy: Proxy) -> Conduit:
    """Ask for the tunnel with CONNECT, over TLS where the proxy's scheme is https."""
    loop = asyncio.get_running_loop()
    conduit = Conduit(await connect_tcp(dial, proxy.server))
    over_tls = proxy.scheme == "https"
    dial.begin("proxy")
    try:
        request = _connect_request(proxy, dial.url.server)
        if over_tls:
            # Default settings: the endpoint's client certificate is not for the proxy.
            tls, name = make_tls(TlsSettings()), proxy.server.host
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
