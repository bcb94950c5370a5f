"""``oauth2: {...}``: the client credentials and refresh token grants (RFC 6749, sections 4.4 and 6)."""

from __future__ import annotations

import base64
from typing import Annotated, Literal
from urllib.parse import quote_plus, urlencode

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from wscli.net.http import HttpRequest, RequestFailed
from wscli.templates import Scope, Template
from wscli.tokens.answer import parse_answer
from wscli.tokens.fetcher import FetchContext, SourceAnswer
from wscli.tokens.field_types import TemplateText, UrlText, names_in
from wscli.tokens.refusal import explain_refusal
from wscli.tokens.sources.http import HttpOptions, checked_headers
from wscli.values import Secret

__all__ = ["OAuth2Source"]


Scopes = Annotated[
    tuple[str, ...],
    # a list, as well as the text of RFC 6749, section 3.3
    BeforeValidator(lambda value: value.split() if isinstance(value, str) else value),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}),
]


class OAuth2Source(HttpOptions):
    """An OAuth 2 token endpoint. Without ``read``, the token is ``.access_token`` and its life ``.expires_in``."""

    token_url: Annotated[UrlText, Field(description="the token endpoint")]
    client_id: Annotated[TemplateText, Field(description="who we are")]
    client_secret: Annotated[
        TemplateText | None, Field(description="the client's secret; public clients have none")
    ] = None
    client_auth: Annotated[
        Literal["basic", "body"],
        Field(description="where client_id and client_secret go: the Authorization header, or the form"),
    ] = "basic"
    grant: Annotated[
        Literal["client_credentials", "refresh_token"] | None,
        Field(description="the grant; refresh_token where one is given, else client_credentials"),
    ] = None
    refresh_token: Annotated[
        TemplateText | None,
        Field(description="the first refresh token; a server's new ones are kept in memory, with `remember` in a file"),
    ] = None
    scopes: Annotated[Scopes, Field(description="the scopes to ask for, a list or text with spaces")] = ()
    audience: Annotated[TemplateText | None, Field(description="the audience to ask for, where a server wants one")] = (
        None
    )
    parameters: dict[str, TemplateText] = Field(default_factory=dict, description="further fields of the form")

    @model_validator(mode="after")
    def _complete(self) -> OAuth2Source:
        if self.grant == "refresh_token" and self.refresh_token is None:
            raise ValueError("the refresh_token grant needs a refresh_token")
        if self.grant == "client_credentials" and self.refresh_token is not None:
            raise ValueError("the client_credentials grant has no refresh_token")
        if self._grant == "client_credentials" and self.client_secret is None and self.client_auth == "basic":
            raise ValueError("the client_credentials grant needs a client_secret")
        return self

    @property
    def _grant(self) -> str:
        return self.grant or ("refresh_token" if self.refresh_token is not None else "client_credentials")

    @property
    def rotates(self) -> bool:
        """Whether a server may give another refresh token."""
        return self._grant == "refresh_token"

    @property
    def identity(self) -> str:
        """What a rotated refresh token belongs to: the server, the client and the first one."""
        parts = (self.token_url.template, self.client_id, self.refresh_token)
        return "\0".join("" if part is None else part.source for part in parts)

    def references(self) -> frozenset[str]:
        """Give the tokens in the URL, the headers, the credentials and the form."""
        credentials = (self.token_url, self.client_id, self.client_secret, self.refresh_token, self.audience)
        return names_in((*credentials, *self.headers.values(), *self.parameters.values()))

    async def fetch(self, context: FetchContext) -> SourceAnswer:
        """Ask for a token, and keep the new refresh token that the answer may contain."""
        scope = await context.scope(self.references())
        request = self._request(scope, await context.memory.recall())
        answer = await context.http.fetch(request, read_errors=True)
        try:
            text = answer.text(request.shown)
        except RequestFailed as error:
            if explain_refusal(error, answer, request, context.secrets()) == "invalid_grant":
                context.memory.forget()  # the server refuses the token that it issued: return to the declared one
            raise
        value = parse_answer(text)
        rotated = value.get("refresh_token") if isinstance(value, dict) else None
        if self._grant == "refresh_token" and isinstance(rotated, str) and rotated:
            await context.memory.keep(Secret(rotated))
        return SourceAnswer(Secret(text))

    def _request(self, scope: Scope, rotated: Secret | None) -> HttpRequest:
        form = {"grant_type": self._grant}
        if self._grant == "refresh_token":
            form["refresh_token"] = rotated.reveal() if rotated else _filled(self.refresh_token, scope)
        if self.scopes:
            form["scope"] = " ".join(self.scopes)
        if self.audience is not None:
            form["audience"] = self.audience.render(scope)
        form |= {name: template.render(scope) for name, template in self.parameters.items()}
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        who, secret = self.client_id.render(scope), _filled(self.client_secret, scope)
        if self.client_auth == "basic" and self.client_secret is not None:
            # RFC 6749, section 2.3.1: both are form-encoded before they are joined.
            pair = f"{quote_plus(who)}:{quote_plus(secret)}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        else:
            form |= {"client_id": who} | ({"client_secret": secret} if self.client_secret is not None else {})
        headers |= {name: template.render(scope) for name, template in self.headers.items()}
        url, shown = self.token_url.template.render(scope), self.token_url.shown
        body = urlencode(form).encode()
        return HttpRequest("POST", url, shown, checked_headers(headers), body, self._tls, self.proxy, self.timeout)


def _filled(template: Template | None, scope: Scope) -> str:
    return "" if template is None else template.render(scope)
