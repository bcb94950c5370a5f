"""``http: {post: URL, ...}``: an HTTP request whose answer contains the token."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Annotated, ClassVar
from urllib.parse import urlencode, urlsplit

from pydantic import ConfigDict, Field, model_validator

from wscli.net.http import HttpRequest, RequestFailed
from wscli.net.tls import TlsSettings
from wscli.templates import Scope
from wscli.tokens.errors import SourceFailed
from wscli.tokens.fetcher import FetchContext, SourceAnswer
from wscli.tokens.field_types import (
    Header,
    HeaderName,
    JsonBody,
    ProxyText,
    TemplateText,
    Timeout,
    Url,
    UrlText,
    names_in,
)
from wscli.tokens.refusal import explain_refusal
from wscli.values import Secret, StrictModel

__all__ = ["HttpOptions", "HttpSource", "checked_headers"]

_DOTS = frozenset({".", ".."})
"""Segments that change the path (RFC 3986, section 5.2.4)."""


class HttpOptions(StrictModel):
    """The keys of every request to a token endpoint."""

    headers: dict[HeaderName, Header] = Field(
        default_factory=dict, description="headers to send; values may name {token.other}"
    )
    tls: Annotated[TlsSettings | None, Field(description="TLS beyond the system's defaults")] = None
    proxy: Annotated[
        ProxyText, Field(description="auto (the environment's), none, a URL, or {url, username, password}")
    ] = "auto"
    timeout: Annotated[Timeout, Field(description="for the whole request, redirects included")] = 10.0

    @property
    def _tls(self) -> TlsSettings:
        return self.tls or TlsSettings()


def checked_headers(headers: dict[str, str]) -> dict[str, str]:
    """Refuse filled headers with a line break."""
    for name, value in headers.items():
        if any(sign in value for sign in "\r\n\0"):
            raise SourceFailed(f"the header '{name}' contains a line break")
    return headers


class HttpSource(HttpOptions):
    """A request whose answer contains the token."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [key]} for key in ("post", "get", "put")]})

    METHODS: ClassVar[tuple[str, ...]] = ("post", "get", "put")
    """The keys of which a request has one."""

    post: Annotated[UrlText | None, Field(description="the URL to POST to")] = None
    get: Annotated[UrlText | None, Field(description="the URL to GET")] = None
    put: Annotated[UrlText | None, Field(description="the URL to PUT to")] = None
    body_json: Annotated[JsonBody | None, Field(alias="json", description="the body, sent as compact JSON")] = None
    form: Annotated[dict[str, TemplateText] | None, Field(description="the body, sent as a form")] = None

    @model_validator(mode="after")
    def _one_request(self) -> HttpSource:
        given = [url for _, url in self._targets()]
        if len(given) != 1:
            *others, last = self.METHODS
            raise ValueError(f"an http source must have exactly one of {', '.join(others)} and {last}")
        if self.body_json is not None and self.form is not None:
            raise ValueError("json and form exclude each other; keep one")
        if self.get is not None and (self.body_json is not None or self.form is not None):
            raise ValueError("a GET has no body; use post or put")
        has_user = "@" in urlsplit(given[0].template.source).netloc
        if has_user and any(name.lower() == "authorization" for name in self.headers):
            raise ValueError("the URL's user and the Authorization header exclude each other; keep one")
        return self

    def _targets(self) -> list[tuple[str, Url]]:
        urls = ((method.upper(), getattr(self, method)) for method in self.METHODS)
        return [(method, url) for method, url in urls if url is not None]

    def _target(self) -> tuple[str, Url]:
        return self._targets()[0]

    def references(self) -> frozenset[str]:
        """Give the tokens in the URL, the headers and the body."""
        return names_in((self._target()[1], *self.headers.values(), self.body_json, *(self.form or {}).values()))

    def _body(self, scope: Scope) -> tuple[bytes | None, str | None]:
        if self.body_json is not None:
            text = json.dumps(self.body_json.render(scope), separators=(",", ":"), ensure_ascii=False)
            return text.encode(), "application/json"
        if self.form is not None:
            fields = {name: template.render(scope) for name, template in self.form.items()}
            return urlencode(fields).encode(), "application/x-www-form-urlencoded"
        return None, None

    @property
    def shown(self) -> str:
        """The part of the URL that may be printed."""
        return self._target()[1].shown

    def request(self, scope: Scope, *, encoded: Collection[str] = (), max_size: int = 1 << 20) -> HttpRequest:
        """Fill every template; values of the namespaces ``encoded`` are percent-encoded in the URL.

        The answer may have ``max_size`` bytes.

        Raises:
            SourceFailed: a header contains a line break, or a value becomes ``..`` in the path.
            TemplateError: a placeholder has no value, or its filter refuses the value.
        """
        method, url = self._target()
        headers = checked_headers({name: template.render(scope) for name, template in self.headers.items()})
        body, kind = self._body(scope)
        address = url.template.render(scope, encoded=encoded)
        if encoded and not _DOTS.isdisjoint(urlsplit(address).path.split("/")):
            # encoding does not hide '..' from a server
            raise SourceFailed(f"a value would change the path of {url.shown}")
        if kind and not any(name.lower() == "content-type" for name in headers):
            headers["Content-Type"] = kind
        return HttpRequest(method, address, url.shown, headers, body, self._tls, self.proxy, self.timeout, max_size)

    async def fetch(self, context: FetchContext) -> SourceAnswer:
        """Make the request."""
        request = self.request(await context.scope(self.references()))
        answer = await context.http.fetch(request, read_errors=True)
        try:
            return SourceAnswer(Secret(answer.text(request.shown)))
        except RequestFailed as error:
            explain_refusal(error, answer, request, context.secrets())
            raise
