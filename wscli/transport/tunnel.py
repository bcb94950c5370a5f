"""Through a proxy: HTTP CONNECT (RFC 9110, section 9.3.6) in the clear or over TLS, and SOCKS by python-socks."""

from __future__ import annotations

import asyncio
import base64
import socket
from dataclasses import dataclass

from python_socks import ProxyType
from python_socks.async_.asyncio import Proxy as SocksProxy

from wscli.config.models.upstream import TlsPlan
from wscli.core.events import Failure, FailureKind
from wscli.transport.address import Address, bracketed
from wscli.transport.course import Course
from wscli.transport.head import MAX_HEAD, parse_head
from wscli.transport.link import DialError
from wscli.transport.proxy import Proxy
from wscli.transport.request import USER_AGENT
from wscli.transport.tcp import connect_tcp, hang_up, heard
from wscli.transport.tls import make_tls

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
    """What leads to the server: a socket, or the transport of a TLS connection to a proxy."""

    sock: socket.socket
    transport: asyncio.Transport | None = None


async def reach(course: Course, proxy: Proxy | None) -> Conduit:
    """Connect to the server, or to the server through the proxy.

    Raises:
        DialError: the proxy refused.
        OSError, UnicodeError, ProxyException: what the libraries raise; ``failures.translate`` knows them.

    """
    address = course.address
    if proxy is None:
        return Conduit(await connect_tcp(course, address.place))
    if proxy.is_socks:
        return Conduit(await _through_socks(course, proxy))
    sock = await connect_tcp(course, proxy.place)
    course.begin("proxy")
    conduit = await (_through_tls if proxy.scheme == "https" else _through_http)(sock, proxy, address)
    course.done(f"CONNECT through {proxy.place.where}")
    course.place = address.place
    return conduit


async def _through_socks(course: Course, proxy: Proxy) -> socket.socket:
    course.begin("proxy", proxy.place)  # its DNS and TCP are the library's, and stand in this step
    server = course.address.place
    kind, by_name = _SOCKS[proxy.scheme]
    socks = SocksProxy(kind, proxy.place.host, proxy.place.port, proxy.username, proxy.password, by_name)
    # The dial's own deadline comes before the library's.
    sock = await socks.connect(server.host, server.port, timeout=course.target.timeout + 60.0)
    course.done(f"{proxy.scheme} through {proxy.place.where}")
    course.place = server
    return sock


def _connect_request(proxy: Proxy, address: Address) -> bytes:
    target = f"{bracketed(address.place.host)}:{address.place.port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}", f"User-Agent: {USER_AGENT}"]
    if proxy.username is not None:
        pair = base64.b64encode(f"{proxy.username}:{proxy.password}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {pair}")
    return "\r\n".join([*lines, "", ""]).encode()


def _is_open(answer: bytes, proxy: Proxy) -> bool:
    """Whether the proxy's answer is complete and says that the tunnel is open; raises when it says otherwise."""
    head, complete, rest = answer.partition(b"\r\n\r\n")
    if not complete:
        if len(answer) > MAX_HEAD:
            raise _refused(f"{proxy.place.where} answered CONNECT with more than {MAX_HEAD} bytes of headers")
        return False
    try:
        parsed = parse_head(head)
    except ValueError:
        raise _refused(f"{proxy.place.where} did not answer CONNECT with HTTP") from None
    if not 200 <= parsed.status <= 299:
        raise _refused(f"{proxy.place.where} answered CONNECT with {parsed.summary}")
    if rest:  # neither a TLS nor a WebSocket server speaks first
        raise _refused(f"{proxy.place.where} sent data before anything was asked through it")
    return True


def _refused(text: str) -> DialError:
    return DialError(Failure(FailureKind.PROXY, text))


def _ended(proxy: Proxy) -> DialError:
    return _refused(f"{proxy.place.where} closed the connection without answering CONNECT")


async def _through_http(sock: socket.socket, proxy: Proxy, address: Address) -> Conduit:
    try:
        await _ask(sock, proxy, address)
    except BaseException:
        sock.close()
        raise
    return Conduit(sock)


async def _ask(sock: socket.socket, proxy: Proxy, address: Address) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, _connect_request(proxy, address))
    answer = b""
    while not _is_open(answer, proxy):
        data = await loop.sock_recv(sock, 4096)
        if not data:
            raise _ended(proxy)
        answer += data


async def _through_tls(sock: socket.socket, proxy: Proxy, address: Address) -> Conduit:
    # Its own context: the endpoint's client certificate is none of the proxy's business.
    loop = asyncio.get_running_loop()
    try:
        transport, tunnel = await loop.create_connection(
            lambda: _Tunnel(proxy), sock=sock, ssl=make_tls(TlsPlan()), server_hostname=proxy.place.host
        )
        transport.write(_connect_request(proxy, address))
        await tunnel.opened
    except BaseException:
        hang_up(sock)
        raise
    return Conduit(sock, transport)


class _Tunnel(asyncio.Protocol):
    """Awaits a proxy's answer over TLS."""

    def __init__(self, proxy: Proxy) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.opened.add_done_callback(heard)
        self._proxy = proxy
        self._answer = b""

    def data_received(self, data: bytes) -> None:
        """Read on until the answer is complete."""
        self._answer += data
        try:
            if _is_open(self._answer, self._proxy) and not self.opened.done():
                self.opened.set_result(None)
        except DialError as error:
            self._fail(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits."""
        self._fail(exc or _ended(self._proxy))

    def _fail(self, error: Exception) -> None:
        if not self.opened.done():
            self.opened.set_exception(error)
