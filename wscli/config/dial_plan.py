"""How a connection is opened: a URL, a path, a query, headers and subprotocols as templates, filled for each dial."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from wscli.net.hosts import UNIX
from wscli.net.proxy import ProxyChoice
from wscli.net.tls import TlsSettings
from wscli.net.url_hosts import check_url_host
from wscli.templates import JsonTemplate, PartlyFilled, PathTemplate, Scope, Template
from wscli.values import Secret

__all__ = ["DialPlan", "QueryValue", "UpstreamKey"]

QueryValue = Template | tuple[Template, ...]
"""The value of a name in a query; several values repeat the name."""
_IN_URLS = ("param", "with", "var", "token")
"""Namespaces whose values are percent-encoded inside a URL."""


@dataclass(frozen=True, slots=True)
class DialPlan:
    """What opens a connection. Its templates name ``{token.x}``, ``{param.x}``, ``{with.x}`` and ``{var.x}``."""

    url: Secret
    """The endpoint's ws:// or wss:// URL as written, with its own query; the path is not yet appended."""
    shown_url: str
    """The URL without userinfo and query, with ``***`` for values of the environment; ``unix:PATH``."""
    url_template: Template | None = None
    """The URL, where it has placeholders."""
    url_hosts: tuple[str, ...] = ()
    """Patterns of hosts, such as ``*.example.com``, one of which a filled URL must lead to; empty: any."""
    shown_query: tuple[str, ...] = ()
    """The names of the URL's own query."""
    connect_to: Secret | None = None
    """``HOST:PORT`` or ``unix:PATH``, where the connection does not lead to the URL's host."""
    shown_connect_to: str = ""
    path: PathTemplate | None = None
    shown_path: PathTemplate | None = None
    """The path with ``***`` for values of the environment."""
    query: Mapping[str, QueryValue] = field(default_factory=dict)
    headers: Mapping[str, Template] = field(default_factory=dict)
    subprotocols: tuple[Template, ...] = ()
    compression: Literal["deflate", "none"] = "deflate"
    tls: TlsSettings = TlsSettings()
    proxy: ProxyChoice = "auto"
    shown_proxy: str | None = None
    """A declared proxy's URL without userinfo, with ``***`` for values of the environment."""
    max_message: int = 1 << 20
    timeout: float = 10.0
    undeclared: frozenset[str] = frozenset()
    """Tokens that templates name with a default, and that no source gives."""
    secrets: frozenset[str] = field(default=frozenset(), repr=False, compare=False)
    """The values of ``${VAR}`` of the whole file."""

    @property
    def references(self) -> frozenset[tuple[str, str]]:
        """The namespace and name of each placeholder; a bare parameter of the path is not among them."""
        found = _tree([self.query, self.headers, self.subprotocols]).references
        if self.url_template is not None:
            found |= self.url_template.references
        return found if self.path is None else found | self.path.references

    @property
    def token_names(self) -> frozenset[str]:
        """The token sources that the templates name."""
        return frozenset(name for space, name in self.references if space == "token") - self.undeclared

    def address(self, scope: Scope) -> str:
        """Fill the URL, and append the path. Values are percent-encoded, but for one that is the whole URL.

        Raises:
            ValueError: a placeholder has no value; a value cannot be a segment of a path; the filled URL is invalid, or
                leads to a host that ``url_hosts`` does not allow.
        """
        url, template = self.url.reveal(), self.url_template
        if template is not None:
            url = template.render(scope, encoded=_IN_URLS)
            if self.url_hosts:
                check_url_host(url, self.url_hosts)
        return _with_path(url, None if self.path is None else self.path.render(scope.get("param", {}), scope))

    def filled_query(self, scope: Scope) -> list[tuple[str, Any]]:
        """Give the names and values of the query in order; a value that is a list repeats its name.

        Raises:
            TemplateError: a placeholder has no value.
        """
        filled = _tree(self.query).render(scope)
        return [(name, one) for name, value in filled.items() for one in (value if type(value) is list else [value])]

    def filled_headers(self, scope: Scope) -> list[tuple[str, Any]]:
        """Give the names and values of the headers.

        Raises:
            TemplateError: a placeholder has no value.
        """
        return list(_tree(self.headers).render(scope).items())

    def filled_subprotocols(self, scope: Scope) -> list[Any]:
        """Give the subprotocols; a value that is a list gives several.

        Raises:
            TemplateError: a placeholder has no value.
        """
        filled = _tree(self.subprotocols).render(scope)
        return [one for value in filled for one in (value if type(value) is list else [value])]

    def shown_address(self, params: Mapping[str, str]) -> str:
        """Give the URL as it is dialled, without secrets: ``***`` stands for each value of its query.

        Placeholders stay as they are, but for parameters of the path. The path of a request to a Unix socket follows a
        colon.
        """
        shown, path = self.shown_url, self.shown_path or self.path
        if path is not None:
            shown += ":" if shown.startswith(UNIX) else ""
            shown = shown.rstrip("/") + "/" + path.shown(params).lstrip("/")
        query = "&".join(f"{name}=***" for name in (*self.shown_query, *self.query))
        return f"{shown}?{query}" if query else shown

    def opens_the_same(self, other: DialPlan) -> bool:
        """Whether both open equal connections: only the timeout may differ."""
        return replace(self, timeout=other.timeout) == other

    def key(self, scope: Scope, values: tuple[tuple[str, str, str], ...]) -> UpstreamKey:
        """Fill ``{param}`` and ``{with}``; ``values`` are those that the session's own steps use.

        Raises:
            ValueError: a parameter cannot be a segment of a path, or a filter cannot take a value.
        """
        return UpstreamKey(
            address=self._partly_filled_address(scope["param"], scope),
            connect_to=self.connect_to,
            query=tuple((name, _partly(value, scope)) for name, value in self.query.items()),
            headers=frozenset((name.lower(), value.partly_filled(scope)) for name, value in self.headers.items()),
            subprotocols=_partly(self.subprotocols, scope),
            compression=self.compression,
            tls=self.tls,
            proxy=self.proxy,
            max_message=self.max_message,
            values=values,
        )

    def _partly_filled_address(self, params: Mapping[str, str], scope: Scope) -> PartlyFilled:
        path = ("",) if self.path is None else self.path.partly_filled(params, scope)
        if self.url_template is not None:
            return (*self.url_template.partly_filled(scope), *path)
        if len(path) > 1:
            return (self.url.reveal(), *path)
        return (_with_path(self.url.reveal(), None if self.path is None else path[0]),)


@dataclass(frozen=True, slots=True, repr=False)
class UpstreamKey:
    """A dial, filled for a channel's parameters and values: channels with equal keys could share one connection.

    Tokens and variables stay templates. The repr shows nothing, since every field may hold a secret.
    """

    address: PartlyFilled
    """The URL with its path; one text where all of it is known."""
    connect_to: Secret | None
    query: tuple[tuple[str, tuple[PartlyFilled, ...]], ...]
    headers: frozenset[tuple[str, PartlyFilled]]
    """By lower-case name."""
    subprotocols: tuple[PartlyFilled, ...]
    compression: Literal["deflate", "none"]
    tls: TlsSettings
    proxy: ProxyChoice
    max_message: int
    values: tuple[tuple[str, str, str], ...]
    """Namespace, name and JSON of each value that the session's own steps and rules use, those of channels apart."""

    def __repr__(self) -> str:
        return "UpstreamKey(***)"


def _with_path(address: str, path: str | None) -> str:
    parts = urlsplit(address)
    whole = parts.path if path is None else parts.path.rstrip("/") + "/" + path.lstrip("/")
    return urlunsplit(parts._replace(path=whole or "/"))


def _partly(value: QueryValue, scope: Scope) -> tuple[PartlyFilled, ...]:
    return tuple(one.partly_filled(scope) for one in ((value,) if isinstance(value, Template) else value))


def _tree(value: Any) -> JsonTemplate:
    """Make a template of JSON from mappings and tuples of templates, so that its rules for values apply."""

    def plain(one: Any) -> Any:
        if isinstance(one, Mapping):
            return {name: plain(item) for name, item in one.items()}
        return [plain(item) for item in one] if isinstance(one, (tuple, list)) else one

    return JsonTemplate(plain(value))
