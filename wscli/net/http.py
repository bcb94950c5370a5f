"""HTTP for token endpoints: one aiohttp session for all of them, made on first use.

Redirects are followed here, to the same origin only: aiohttp drops ``Authorization`` at another origin, but would carry
``X-Api-Key``, a body and a query there (DESIGN: credentials stay at their origin).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wscli import __version__
from wscli.clock import Clock
from wscli.net.http_errors import explain
from wscli.net.proxies import Proxy, proxy_for
from wscli.net.retry_after import parse_retry_after
from wscli.net.tls import TlsSettings, make_context
from wscli.tokens.failed import SourceFailed

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

__all__ = ["HttpAnswer", "HttpClient", "HttpRequest"]

_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True, repr=False)
class HttpRequest:
    """One request, with every template filled: it holds secrets, and so has no repr."""

    method: str
    url: str
    shown: str
    """What of the URL may be printed."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    tls: TlsSettings | None = None
    proxy: Proxy = "auto"
    timeout: float = 10.0
    """Seconds for everything together, redirects included."""
    largest: int = 1 << 20
    """Bytes of the answer at most."""


@dataclass(frozen=True, slots=True, repr=False)
class HttpAnswer:
    """A status, the body (empty where it was not read), and ``Retry-After`` in seconds."""

    status: int
    body: bytes
    retry_after: float | None

    def text(self, shown: str) -> str:
        """The body of a success as text.

        Raises:
            SourceFailed: the status is no success, or the body is not UTF-8.

        """
        if not 200 <= self.status <= 299:
            refused = self.status in (401, 403)
            raise SourceFailed(f"HTTP {self.status} from {shown}", retry_after=self.retry_after, refused=refused)
        try:
            return self.body.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise SourceFailed(f"the answer from {shown} is not UTF-8") from None


class HttpClient:
    """Makes requests; it opens nothing before the first, and one connection for each."""

    def __init__(self, *, base: Path, clock: Clock, environ: Mapping[str, str]) -> None:
        self._base = base
        self._clock = clock
        self._environ = environ
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, request: HttpRequest, *, read_errors: bool = False) -> HttpAnswer:
        """Make one request; ``read_errors`` reads the body of a 4xx as well.

        Raises:
            SourceFailed: there is no answer, it is too large, or it redirects to another origin.

        """
        try:
            async with asyncio.timeout(request.timeout):
                return await self._follow(request, _parsed(request.url), read_errors=read_errors)
        except TimeoutError:
            raise SourceFailed(f"no answer from {request.shown} within {request.timeout:g} s") from None
        # ValueError: yarl and aiohttp refuse a URL or header with it, quoting what may be a secret.
        except (OSError, ValueError) as error:
            raise SourceFailed(f"{explain(error)} ({request.shown})") from None

    async def close(self) -> None:
        """Drop the session; a request that still runs fails."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _follow(self, request: HttpRequest, url: URL, *, read_errors: bool) -> HttpAnswer:
        import aiohttp

        for _ in range(_MOST_REDIRECTS + 1):
            try:
                async with self._send(request, url) as response:
                    if response.status not in _REDIRECTS:
                        return await self._answer(request, response, read_errors=read_errors)
                    url = _redirected(request.shown, url, response.headers.get("Location"))
                    status = response.status
            except aiohttp.ClientError as error:
                raise SourceFailed(f"{explain(error)} ({request.shown})") from None
            request = _after_redirect(request, status)
        raise SourceFailed(f"{request.shown} redirects more than {_MOST_REDIRECTS} times")

    def _send(self, request: HttpRequest, url: URL) -> aiohttp.client._RequestContextManager:
        tls = request.tls
        return self._opened().request(
            request.method,
            url,
            headers=request.headers,
            data=request.body,
            allow_redirects=False,
            proxy=proxy_for(request.proxy, url.scheme, f"{url.host}:{url.port}", self._environ),
            ssl=True if tls is None else make_context(tls, self._base),
            server_hostname=None if tls is None else tls.server_name,
        )

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            import aiohttp

            async def no_second_try(
                request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
            ) -> aiohttp.ClientResponse:
                try:
                    return await handler(request)
                except aiohttp.ClientConnectorError:
                    raise
                except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError):
                    # aiohttp would send a GET or PUT again by itself; when to try again is the backoff's to say.
                    raise aiohttp.ClientPayloadError from None

            self._session = aiohttp.ClientSession(
                # A connection a request: tokens are fetched rarely, and one kept open would be stale by then.
                connector=aiohttp.TCPConnector(force_close=True, use_dns_cache=False),
                cookie_jar=aiohttp.DummyCookieJar(),
                # Compressed answers are not asked for: a small one could unfold without bound.
                headers={"User-Agent": f"wscli/{__version__}", "Accept-Encoding": "identity"},
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
                auto_decompress=False,
                trust_env=False,  # it would read ~/.netrc as well; the proxies of the environment are ours to find
                middlewares=(no_second_try,),
            )
        return self._session

    async def _answer(self, request: HttpRequest, response: aiohttp.ClientResponse, *, read_errors: bool) -> HttpAnswer:
        retry_after = parse_retry_after(response.headers.get("Retry-After"), self._clock.wall())
        if response.status >= 300 and not (read_errors and 400 <= response.status <= 499):
            return HttpAnswer(response.status, b"", retry_after)
        body = bytearray()
        async for piece in response.content.iter_chunked(64 << 10):
            body += piece
            if len(body) > request.largest:
                raise SourceFailed(f"the answer from {request.shown} is larger than {request.largest >> 20} MiB")
        return HttpAnswer(response.status, bytes(body), retry_after)


def _parsed(text: str) -> URL:
    """Take a URL as it is written; only one with characters that no request may hold is quoted."""
    from yarl import URL

    return URL(text, encoded=re.fullmatch(r"[!-~]+", text) is not None)


def _origin(url: URL) -> tuple[str, str, int | None]:
    return url.scheme, (url.host or "").lower(), url.port


def _redirected(shown: str, url: URL, location: str | None) -> URL:
    """Where a redirect leads, at the same scheme, host and port (RFC 6454, section 4)."""
    if not location:
        raise SourceFailed(f"{shown} redirects to nowhere")
    target = url.join(_parsed(location))
    if _origin(target) != _origin(url):
        raise SourceFailed(f"{shown} redirects to another origin, where credentials are not taken")
    return target.with_user(url.user).with_password(url.password)


def _after_redirect(request: HttpRequest, status: int) -> HttpRequest:
    """A POST becomes a GET after 301, 302 and 303; 307 and 308 keep method and body (RFC 9110, section 15.4)."""
    if status in (307, 308) or request.method == "GET" or (request.method == "PUT" and status != 303):
        return request
    headers = {name: value for name, value in request.headers.items() if name.lower() != "content-type"}
    return replace(request, method="GET", body=None, headers=headers)
