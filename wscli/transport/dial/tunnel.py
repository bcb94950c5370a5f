"""Through a proxy: HTTP CONNECT (RFC 9110, section 9.3.6) in the clear or over TLS, and SOCKS by python-socks."""

from __future__ import annotations

import asyncio
import base64
import socket
from dataclasses import dataclass

from python_socks import ProxyType
from python_socks.async_.asyncio import Proxy as SocksProxy

from wscli.core.events import Failure, FailureKind
from wscli.net.tls import TlsSettings, make_tls
from wscli.transport.connection import DialError
from wscli.transport.dial.address import ServerAddress
from wscli.transport.dial.context import USER_AGENT, DialContext
from wscli.transport.dial.proxy import Proxy
from wscli.transport.dial.response import MAX_HEAD, parse_head
from wscli.transport.dial.tcp import connect_tcp, hang_up, ignore_failure

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
    if proxy.is_socks:
        return Conduit(await _through_socks(dial, proxy))
    sock = await connect_tcp(dial, proxy.server)
    dial.begin("proxy")
    conduit = await (_through_tls if proxy.scheme == "https" else _through_http)(sock, proxy, server)
    dial.done(f"CONNECT through {proxy.server.where}")
    dial.peer = server
    return conduit


async def _through_socks(dial: DialContext, proxy: Proxy) -> socket.socket:
    dial.begin("proxy", proxy.server)  # this step includes DNS and TCP, which the library does
    server = dial.url.server
    kind, by_name = _SOCKS[proxy.scheme]
    socks = SocksProxy(kind, proxy.server.host, proxy.server.port, proxy.username, proxy.password, by_name)
    # The dial's deadline is earlier than the library's.
    sock = await socks.connect(server.host, server.port, timeout=dial.target.timeout + 60.0)
    dial.done(f"{proxy.scheme} through {proxy.server.where}")
    dial.peer = server
    return sock


def _connect_request(proxy: Proxy, server: ServerAddress) -> bytes:
    lines = [f"CONNECT {server.netloc} HTTP/1.1", f"Host: {server.netloc}", f"User-Agent: {USER_AGENT}"]
    if proxy.username is not None:
        pair = base64.b64encode(f"{proxy.username}:{proxy.password}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {pair}")
    return "\r\n".join([*lines, "", ""]).encode()


def _is_open(answer: bytes, proxy: Proxy) -> bool:
    """Whether the proxy's answer is complete; an answer that refuses the tunnel raises ``DialError``."""
    head, complete, rest = answer.partition(b"\r\n\r\n")
    if not complete:
        if len(answer) > MAX_HEAD:
            raise _refused(proxy, f"answered CONNECT with more than {MAX_HEAD} bytes of headers")
        return False
    try:
        parsed = parse_head(head)
    except ValueError:
        raise _refused(proxy, "did not answer CONNECT with HTTP") from None
    if not 200 <= parsed.status <= 299:
        raise _refused(proxy, f"answered CONNECT with {parsed.summary}")
    if rest:  # neither a TLS nor a WebSocket server speaks first
        raise _refused(proxy, "sent data before the tunnel was used")
    return True


def _refused(proxy: Proxy, text: str = "closed the connection without answering CONNECT") -> DialError:
    return DialError(Failure(FailureKind.PROXY, f"{proxy.server.where} {text}"))


async def _through_http(sock: socket.socket, proxy: Proxy, server: ServerAddress) -> Conduit:
    try:
        await _ask(sock, proxy, server)
    except BaseException:
        sock.close()
        raise
    return Conduit(sock)


async def _ask(sock: socket.socket, proxy: Proxy, server: ServerAddress) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, _connect_request(proxy, server))
    answer = b""
    while not _is_open(answer, proxy):
        data = await loop.sock_recv(sock, 4096)
        if not data:
            raise _refused(proxy)
        answer += data


async def _through_tls(sock: socket.socket, proxy: Proxy, server: ServerAddress) -> Conduit:
    # Default settings: the endpoint's client certificate is not for the proxy.
    loop = asyncio.get_running_loop()
    try:
        transport, tunnel = await loop.create_connection(
            lambda: _Tunnel(proxy), sock=sock, ssl=make_tls(TlsSettings()), server_hostname=proxy.server.host
        )
        transport.write(_connect_request(proxy, server))
        await tunnel.opened
    except BaseException:
        hang_up(sock)
        raise
    return Conduit(sock, transport)


class _Tunnel(asyncio.Protocol):
    def __init__(self, proxy: Proxy) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.opened.add_done_callback(ignore_failure)
        self._proxy = proxy
        self._answer = b""

    def data_received(self, data: bytes) -> None:
        self._answer += data
        try:
            if _is_open(self._answer, self._proxy) and not self.opened.done():
                self.opened.set_result(None)
        except DialError as error:
            self._fail(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(exc or _refused(self._proxy))

    def _fail(self, error: Exception) -> None:
        if not self.opened.done():
            self.opened.set_exception(error)
