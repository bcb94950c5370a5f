"""The HTTP client: one aiohttp session, made on first use.

Redirects are followed here, within the origin only: aiohttp drops ``Authorization`` at another origin, but would send
``X-Api-Key``, a body and a query there.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from wscli.clock import Clock
from wscli.errors import ConfigError
from wscli.net.hosts import host_of
from wscli.net.http_errors import explain
from wscli.net.origin import REDIRECTS, redirect_target
from wscli.net.proxy import SOCKS, ProxyAddress, ProxyChoice, parse_proxy, proxy_url
from wscli.net.retry_after import parse_retry_after
from wscli.net.tls import TlsSettings, make_tls
from wscli.version import __version__

if TYPE_CHECKING:  # imported on first use: it takes 150 ms, which most commands need not spend
    import aiohttp
    from yarl import URL

__all__ = ["HttpAnswer", "HttpClient", "HttpRequest", "RequestFailed"]

_MAX_REDIRECTS = 5
_MAX_LINE = 1 << 16
"""Bytes of a line of an answer's head; the library's own limit is 8 KiB."""


class RequestFailed(Exception):
    """A request failed; ``text`` is one lower-case line without secrets."""

    def __init__(self, text: str, *, retry_after: float | None = None, refused: bool = False) -> None:
        """``retry_after`` is in seconds; ``refused``: the status was 401 or 403."""
        super().__init__(text)
        self.text = text
        self.retry_after = retry_after
        self.refused = refused


@dataclass(frozen=True, slots=True, repr=False)
class HttpRequest:
    """A request with every template filled; no repr, because it holds secrets."""

    method: str
    url: str
    shown: str
    """The part of the URL that may be printed."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    tls: TlsSettings = TlsSettings()
    proxy: ProxyChoice = "auto"
    timeout: float = 10.0
    """Seconds for the whole request, redirects included."""
    max_size: int = 1 << 20
    """Bytes of the answer."""


@dataclass(frozen=True, slots=True, repr=False)
class HttpAnswer:
    """The status, the body (empty where it was not read), and ``Retry-After`` in seconds."""

    status: int
    body: bytes
    retry_after: float | None

    def text(self, shown: str) -> str:
        """Give the body of a successful answer as text.

        Raises:
            RequestFailed: the status is not 2xx, or the body is not UTF-8.
        """
        if not 200 <= self.status <= 299:
            refused = self.status in (401, 403)
            raise RequestFailed(f"HTTP {self.status} from {shown}", retry_after=self.retry_after, refused=refused)
        try:
            return self.body.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise RequestFailed(f"the answer from {shown} is not UTF-8") from None


class HttpClient:
    """Makes requests, each on a connection of its own; nothing is opened before the first."""

    def __init__(self, *, base: Path, clock: Clock, environ: Mapping[str, str]) -> None:
        self._base = base
        self._clock = clock
        self._environ = environ
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, request: HttpRequest, *, read_errors: bool = False) -> HttpAnswer:
        """Make a request; ``read_errors`` reads the body of a 4xx or 5xx as well.

        Raises:
            RequestFailed: the connection or TLS failed, the answer is too large, or it redirects to another origin.
        """
        from python_socks import ProxyError

        try:
            async with asyncio.timeout(request.timeout):
                return await self._follow(request, _parsed(request.url), read_errors=read_errors)
        except TimeoutError:
            raise RequestFailed(f"no answer from {request.shown} within {request.timeout:g} s") from None
        except ConfigError as error:
            raise RequestFailed(error.message) from None
        # ValueError: an invalid URL or header; its text may quote a secret.
        except (OSError, ValueError, ProxyError) as error:
            raise RequestFailed(f"{explain(error)} ({request.shown})") from None

    async def close(self) -> None:
        """Close the session; a request in progress fails."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _follow(self, request: HttpRequest, url: URL, *, read_errors: bool) -> HttpAnswer:
        import aiohttp

        for _ in range(_MAX_REDIRECTS + 1):
            try:
                async with self._send(request, url) as response:
                    if response.status not in REDIRECTS:
                        return await self._answer(request, response, read_errors=read_errors)
                    url = _redirected(request.shown, url, response.headers.get("Location"))
                    status = response.status
            except aiohttp.ClientError as error:
                raise RequestFailed(f"{explain(error)} ({request.shown})") from None
            request = _after_redirect(request, status)
        raise RequestFailed(f"{request.shown} redirects more than {_MAX_REDIRECTS} times")

    @asynccontextmanager
    async def _send(self, request: HttpRequest, url: URL) -> AsyncIterator[aiohttp.ClientResponse]:
        session, proxy, found = self._opened(), None, None
        if url.scheme in ("http", "https") and url.raw_host and url.port:
            found = proxy_url(request.proxy, url.scheme, url.raw_host, url.port, self._environ)
        if found is not None and (address := _parsed_proxy(found)).scheme in SOCKS:
            session = _socks_session(address)
        elif found is not None:
            proxy = _parsed(found)
        try:
            async with session.request(
                request.method,
                url,
                headers=request.headers,
                data=request.body,
                allow_redirects=False,
                proxy=proxy,
                ssl=make_tls(request.tls, self._base) if url.scheme == "https" else True,
                server_hostname=request.tls.server_name,
            ) as response:
                yield response
        finally:
            if session is not self._session:
                await session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp

            # No connection is kept: requests are rare, and it would be stale by the next one.
            self._session = _session(aiohttp.TCPConnector(force_close=True, use_dns_cache=False))
        return self._session

    async def _answer(self, request: HttpRequest, response: aiohttp.ClientResponse, *, read_errors: bool) -> HttpAnswer:
        retry_after = parse_retry_after(
            response.headers.get("Retry-After"), self._clock.wall(), response.headers.get("Date")
        )
        if response.status >= 300 and not (read_errors and response.status >= 400):
            return HttpAnswer(response.status, b"", retry_after)
        body = bytearray()
        async for piece in response.content.iter_chunked(64 << 10):
            body += piece
            if len(body) > request.max_size:
                raise RequestFailed(f"the answer from {request.shown} is larger than {request.max_size >> 20} MiB")
        return HttpAnswer(response.status, bytes(body), retry_after)


def _session(connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
    import aiohttp

    async def no_second_try(
        request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        try:
            return await handler(request)
        except aiohttp.ClientConnectorError:
            raise
        except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
            # aiohttp would retry a GET or PUT by itself; retries belong to the backoff.
            raise aiohttp.ClientPayloadError from None

    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        # A small compressed answer could unfold without bound.
        headers={"User-Agent": f"wscli/{__version__}", "Accept-Encoding": "identity"},
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
        auto_decompress=False,
        max_line_size=_MAX_LINE,
        max_field_size=_MAX_LINE,
        trust_env=False,  # it would read ~/.netrc as well; `proxy_url` reads the environment
        middlewares=(no_second_try,),
    )


def _socks_session(proxy: ProxyAddress) -> aiohttp.ClientSession:
    from wscli.net.socks_connector import SocksConnector

    return _session(SocksConnector(proxy))


def _parsed_proxy(url: str) -> ProxyAddress:
    try:
        return parse_proxy(url)
    except ValueError as error:
        raise RequestFailed(f"the proxy cannot be used: {error}") from None


def _parsed(text: str) -> URL:
    """Parse a URL, its host in any written form; only a rest with characters that HTTP cannot carry is encoded.

    Raises:
        ValueError: the URL is invalid.
    """
    from yarl import URL

    parts = urlsplit(text)
    user, at, _ = parts.netloc.rpartition("@")
    host = host_of(parts)
    place = f"[{host}]" if ":" in host else host
    if parts.port is not None:
        place = f"{place}:{parts.port}"
    text = urlunsplit(parts._replace(netloc=f"{user}{at}{place}"))
    return URL(text, encoded=re.fullmatch(r"[!-~]+", text) is not None)


def _redirected(shown: str, url: URL, location: str | None) -> URL:
    if not location:
        raise RequestFailed(f"{shown} redirects without a Location")
    target = redirect_target(str(url), location)
    if target is None:
        raise RequestFailed(f"{shown} redirects to another origin, where credentials are not sent")
    return _parsed(target)


def _after_redirect(request: HttpRequest, status: int) -> HttpRequest:
    """A POST becomes a GET after 301, 302 and 303; 307 and 308 keep method and body (RFC 9110, section 15.4)."""
    if status in (307, 308) or request.method == "GET" or (request.method == "PUT" and status != 303):
        return request
    headers = {name: value for name, value in request.headers.items() if name.lower() != "content-type"}
    return replace(request, method="GET", body=None, headers=headers)
