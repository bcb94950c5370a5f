"""The plan of a valid file: channels merged with their endpoints, references checked, templates compiled.

The daemon works from these and never sees YAML. Two plans are compared by ``reload``: a change in a ``DialPlan``
redials, except of its ``timeout``; every other change is applied in place.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from wscli.backfill.models import BackfillModel
from wscli.config.models.gateway import GatewayPlan
from wscli.config.models.hooks import ConnectHook, MessageHook, StateHook
from wscli.config.models.upstream import Keepalive, Rotate
from wscli.core.backoff import BackoffPolicy, LookAgain
from wscli.core.moves import Policy
from wscli.core.verdicts import VerdictTable
from wscli.history.limits import HistoryLimits
from wscli.net.hosts import UNIX
from wscli.net.proxy import ProxyChoice
from wscli.net.tls import TlsSettings
from wscli.net.url_hosts import check_url_host
from wscli.session.plan import SessionPlan
from wscli.templates import JsonTemplate, PartlyFilled, PathTemplate, Scope, Template, compile_json
from wscli.templates.paths import JsonPath
from wscli.tokens.models import TokenSource
from wscli.values import Rate, Secret

__all__ = ["ChannelPlan", "DialPlan", "Plan", "UpstreamKey", "UpstreamPlan"]

_ENCODED = ("token", "param", "with", "var")


@dataclass(frozen=True, slots=True)
class DialPlan:
    """How a connection is opened. The templates of a path, a query and so on are filled for each channel and dial."""

    url: Secret
    """The endpoint's ws:// or wss:// URL as written, with its own query; the path is not yet appended."""
    shown_url: str
    """The URL without userinfo and query, with ``***`` for values of the environment; ``unix:PATH``."""
    shown_query: tuple[str, ...] = ()
    """The names of the URL's own query."""
    url_template: Template | None = None
    """The URL, where it has placeholders."""
    url_hosts: tuple[str, ...] = ()
    """Patterns of hosts, such as ``*.example.com``, one of which a filled URL must lead to; empty: any."""
    connect_to: Secret | None = None
    """``HOST:PORT`` or ``unix:PATH``, where the connection does not lead to the URL's host."""
    shown_connect_to: str = ""
    path: PathTemplate | None = None
    shown_path: PathTemplate | None = None
    """The path with ``***`` for values of the environment."""
    query: Mapping[str, Template] = field(default_factory=dict)
    headers: Mapping[str, Template] = field(default_factory=dict)
    subprotocols: tuple[Template, ...] = ()
    compression: Literal["deflate", "none"] = "deflate"
    tls: TlsSettings = TlsSettings()
    proxy: ProxyChoice = "auto"
    shown_proxy: str | None = None
    """A declared proxy's URL without userinfo, with ``***`` for values of the environment."""
    max_message: int = 1 << 20
    timeout: float = 10.0
    secrets: frozenset[str] = field(default=frozenset(), repr=False, compare=False)
    """The values of ``${VAR}`` of the whole file."""

    @property
    def templates(self) -> tuple[Template, ...]:
        """Every template that is filled at a dial, without the path's."""
        url = () if self.url_template is None else (self.url_template,)
        return (*url, *self.query.values(), *self.headers.values(), *self.subprotocols)

    @property
    def token_names(self) -> frozenset[str]:
        """The token sources that the templates name."""
        found = (one for template in self.templates for one in template.references)
        return frozenset(name for space, name in found if space == "token")

    def address(self, params: Mapping[str, str], scope: Scope = MappingProxyType({})) -> str:
        """Fill the URL, and append the path.

        Args:
            params: the channel's parameters.
            scope: the values of ``token``, ``with`` and ``var``, which a URL with placeholders needs.

        Raises:
            ValueError: a parameter cannot be a segment of a path; a placeholder has no value; the filled URL is
                invalid, or leads to a host that ``url_hosts`` does not allow.
        """
        if self.url_template is None:
            return self._with_path(self.url.reveal(), params)
        whole, filled = self.url_template.whole, {**scope, "param": params}
        url = self.url_template.render(filled, encoded=() if whole else _ENCODED)
        if self.url_hosts:
            check_url_host(url, self.url_hosts)
        return self._with_path(url, params)

    def _with_path(self, url: str, params: Mapping[str, str]) -> str:
        parts = urlsplit(url)
        path = parts.path
        if self.path is not None:
            path = path.rstrip("/") + "/" + self.path.render(params).lstrip("/")
        return urlunsplit(parts._replace(path=path or "/"))

    def partly_filled_address(self, scope: Mapping[str, Mapping[str, Any]]) -> str:
        """Fill the values of ``param`` and ``with`` only.

        Raises:
            ValueError: as for ``address``.
        """
        if self.url_template is None:
            return self._with_path(self.url.reveal(), scope["param"])
        url = "".join(map(str, self.url_template.partly_filled(scope)))
        return url if self.path is None else f"{url} {self.path.render(scope['param'])}"

    def shown_address(self, params: Mapping[str, str]) -> str:
        """Give the URL as it is dialled, without secrets: ``***`` stands for each value of its query.

        The path of a request to a Unix socket follows a colon.
        """
        shown, path = self.shown_url, self.shown_path or self.path
        if path is not None:
            shown += ":" if shown.startswith(UNIX) else ""
            shown = shown.rstrip("/") + "/" + path.render(params).lstrip("/")
        query = "&".join(f"{name}=***" for name in (*self.shown_query, *self.query))
        return f"{shown}?{query}" if query else shown

    def opens_the_same(self, other: DialPlan) -> bool:
        """Whether both open equal connections: only the timeout may differ."""
        return replace(self, timeout=other.timeout) == other


@dataclass(frozen=True, slots=True, repr=False)
class UpstreamKey:
    """A dial, filled for a channel's parameters: channels with equal keys could share one connection.

    Tokens stay templates. The repr shows nothing, since every field may hold a secret.
    """

    address: str
    """The URL with its path; placeholders of tokens and variables stand as they are written."""
    connect_to: Secret | None
    query: tuple[tuple[str, PartlyFilled], ...]
    headers: frozenset[tuple[str, PartlyFilled]]
    """By lower-case name."""
    subprotocols: tuple[PartlyFilled, ...]
    compression: Literal["deflate", "none"]
    tls: TlsSettings
    proxy: ProxyChoice
    max_message: int
    values: tuple[tuple[str, str, str], ...] = ()
    """Namespace, name and JSON of each value that the session's own steps and rules use, those of channels apart."""

    def __repr__(self) -> str:
        return "UpstreamKey(***)"


@dataclass(frozen=True, slots=True)
class UpstreamPlan:
    """One connection to a server: how it is opened, kept alive, replaced and dialled again."""

    endpoint: str
    """The name of the endpoint, whose connect budget its dials draw on."""
    dial: DialPlan
    keepalive: Keepalive
    verdicts: tuple[VerdictTable, ...]
    """The channel's, the endpoint's, the file's: the nearest first, empty ones left out."""
    backoff: BackoffPolicy
    rotate: Rotate | None = None
    retry_after_max: float | None = None
    """Seconds that a server's ``Retry-After`` may take; None: as many as it says."""
    silence: float | None = None
    """Seconds without a message after which a connection counts as lost; None: any time."""
    share: bool = False
    """Whether channels with equal keys use one connection."""
    most_channels: int | None = None
    """With ``share``, the most channels that one connection carries; None: any number."""
    session: SessionPlan | None = None
    look_again: LookAgain | None = None
    """When it is dialled again after it failed; None: never."""

    @property
    def policy(self) -> Policy:
        """What its machine goes by."""
        return Policy(self.backoff, self.verdicts, self.look_again)

    @property
    def token_names(self) -> frozenset[str]:
        """The token sources that the dial and the steps of the session name."""
        steps = () if self.session is None else self.session.steps
        return self.dial.token_names.union(*(step.tokens for step in steps))

    def key(self, params: Mapping[str, str], values: Mapping[str, Any] = MappingProxyType({})) -> UpstreamKey:
        """Fill the dial with a channel's parameters, as a key of a registry of upstreams.

        Args:
            params: the channel's parameters.
            values: of its ``with:``, filled.

        Raises:
            ValueError: a parameter cannot be a segment of a path, or a filter cannot take it.
        """
        dial, scope = self.dial, {"param": params, "with": values}
        used = () if self.session is None else sorted(self.session.upstream_values)
        return UpstreamKey(
            address=dial.partly_filled_address(scope),
            connect_to=dial.connect_to,
            query=tuple((name, template.partly_filled(scope)) for name, template in dial.query.items()),
            headers=frozenset((name.lower(), template.partly_filled(scope)) for name, template in dial.headers.items()),
            subprotocols=tuple(template.partly_filled(scope) for template in dial.subprotocols),
            compression=dial.compression,
            tls=dial.tls,
            proxy=dial.proxy,
            max_message=dial.max_message,
            values=tuple((space, name, json.dumps(scope[space].get(name), sort_keys=True)) for space, name in used),
        )


@dataclass(frozen=True, slots=True)
class ChannelPlan:
    """One declared channel, or a template of channels when ``params`` is not empty."""

    name: str
    """As declared: ``notifications``, ``consultations/{id}``."""
    params: tuple[str, ...]
    upstream: UpstreamPlan
    history: HistoryLimits
    eager: bool
    critical: bool
    linger: float
    dedupe: JsonPath | None = None
    """The path of the value by which a repeated message is recognised."""
    backfill: BackfillModel | None = None
    """How messages missed in a gap are fetched."""
    values: JsonTemplate = field(default_factory=lambda: compile_json({}, ()))
    """``with:``, a mapping; renders with the channel's parameters to the values of ``{with.NAME}``."""
    on_connect: ConnectHook | None = None
    on_state: StateHook | None = None
    on_message: MessageHook | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole file."""

    name: str
    """The instance, ``[a-z0-9_-]{1,32}``."""
    file: Path
    """The file's real path."""
    endpoints: Mapping[str, Rate]
    """The connect budget of each that is declared, used or not."""
    channels: Mapping[str, ChannelPlan]
    tokens: Mapping[str, TokenSource]
    backoff: BackoffPolicy = field(default_factory=BackoffPolicy)
    """The policy where none is named, which is that of the token sources too."""
    announce_after: float = 5.0
    gateway: GatewayPlan | None = None
    warnings: tuple[str, ...] = ()
    """Warnings, a line each: ``app.yaml:12:5: channels.calls: ...``."""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The value of each variable of the environment that the file names; empty where it is not set."""

    @property
    def secrets(self) -> frozenset[str]:
        """The values of variables, which must not be printed."""
        return frozenset(filter(None, self.variables.values()))
