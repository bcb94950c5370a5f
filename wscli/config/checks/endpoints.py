"""An endpoint, compiled; its channels start from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wscli.config.checks.context import Context, LocatedTemplate, uses_of
from wscli.config.checks.policies import MergedPolicy, Policies, check_shared_verdicts, check_strict, check_verdicts
from wscli.config.checks.session.session import CompiledSession, compile_session
from wscli.config.checks.tls import check_tls
from wscli.config.checks.upgrade import Headers, compile_headers, compile_query, compile_subprotocols
from wscli.config.checks.urls import EndpointUrl, compile_proxy, compile_url, reaches_host, shown_proxy
from wscli.config.dial_plan import QueryValue
from wscli.config.presets import UsedPreset
from wscli.config.reading.located import Located
from wscli.core.verdicts import VerdictTable
from wscli.net.proxy import ProxyChoice
from wscli.net.url_hosts import parse_host_pattern
from wscli.templates import Template
from wscli.values import Secret, shown

__all__ = ["CompiledEndpoint", "UpgradeRequest", "compile_endpoint"]

_NOWHERE = EndpointUrl(Secret(""), "", secure=True, has_user=False)


class UpgradeRequest:
    """Query, headers and subprotocols of the upgrade, shared by all channels that change none of them."""

    def __init__(
        self,
        query: Mapping[str, tuple[LocatedTemplate, ...]],
        headers: Headers,
        subprotocols: tuple[LocatedTemplate, ...],
    ) -> None:
        self._placed = (query, headers, subprotocols)
        self.query: Mapping[str, QueryValue] = {
            name: placed[0].template if len(placed) == 1 else tuple(one.template for one in placed)
            for name, placed in query.items()
        }
        self.headers: Mapping[str, Template] = {name: placed.template for name, placed in headers.values()}
        self.subprotocols = tuple(placed.template for placed in subprotocols)
        flat = (one for placed in query.values() for one in placed)
        everything = (*flat, *(placed for _, placed in headers.values()), *subprotocols)
        self.uses = tuple(use for placed in everything for use in uses_of(placed))
        """Each placeholder, and its place."""

    def changed(self, located: Located, context: Context) -> UpgradeRequest:
        """Apply a channel's keys: maps merge by key, lists replace."""
        query, headers, subprotocols = located.get("query"), located.get("headers"), located.get("subprotocols")
        if query is None and headers is None and subprotocols is None:
            return self
        old_query, old_headers, old_subprotocols = self._placed
        return UpgradeRequest(
            {**old_query, **compile_query(query, context)},
            {**old_headers, **compile_headers(headers, context)},
            old_subprotocols if subprotocols is None else compile_subprotocols(subprotocols, context),
        )

    def check_user(self, address: EndpointUrl, context: Context) -> None:
        """Refuse a user in the url beside an Authorization header."""
        authorization = self._placed[1].get("authorization")
        if address.has_user and authorization is not None:
            context.add(authorization[1].located, "the url already names a user; keep one of the two", key=True)


@dataclass(slots=True)
class CompiledEndpoint:
    """An endpoint, compiled."""

    address: EndpointUrl
    request: UpgradeRequest
    proxy: ProxyChoice
    shown_proxy: str | None
    verdicts: tuple[VerdictTable, ...]
    """The endpoint's, its preset's, the file's; empty ones left out."""
    backoff: MergedPolicy
    session: CompiledSession | None
    share: bool
    url_hosts: tuple[str, ...]
    clients: Located | None
    strict: Located | None


def compile_endpoint(
    located: Located,
    policies: Policies,
    above: tuple[VerdictTable, ...],
    context: Context,
    preset: UsedPreset | None = None,
) -> CompiledEndpoint:
    """Compile and check; problems go to the context. ``above`` are the file's verdicts."""
    address = compile_url(located.get("url"), located.get("connect_to"), context) or _NOWHERE
    request = UpgradeRequest(
        compile_query(located.get("query"), context),
        compile_headers(located.get("headers"), context),
        compile_subprotocols(located.get("subprotocols"), context),
    )
    request.check_user(address, context)
    check_tls(located.get("tls"), context, secure=address.secure)
    clients, strict = located.get("clients"), located.get("strict")
    check_strict(clients, strict, strict, context)
    session, share = located.get("session"), located.get("share")
    shares = share is not None and share.text != "false"
    below = above if preset is None else check_verdicts(preset.verdicts, above, context)
    if shares:
        check_shared_verdicts(located.get("verdicts"), context)
    return CompiledEndpoint(
        address=address,
        request=request,
        proxy=compile_proxy(located.get("proxy"), address, context),
        shown_proxy=shown_proxy(located.get("proxy")),
        verdicts=check_verdicts(located.get("verdicts"), below, context),
        backoff=policies.resolve(located.get("backoff"), policies.default),
        session=None if session is None else compile_session(session, context, share=shares),
        share=shares,
        url_hosts=_url_hosts(located, address, context),
        clients=clients,
        strict=strict,
    )


def _url_hosts(located: Located, address: EndpointUrl, context: Context) -> tuple[str, ...]:
    declared, patterns = located.get("url_hosts"), []
    for item in declared.items() if declared is not None else ():
        if item.text is not None:
            try:
                patterns.append(parse_host_pattern(item.text))
            except ValueError as error:
                context.add(item, f"invalid host: {shown(item.text)}; {error}")
    placed = address.placed
    if placed is not None and declared is None and reaches_host(placed.template):
        text = "a placeholder is part of this url's host: add 'url_hosts: [...]', the hosts that it may lead to"
        context.add(placed.located, text)
    return tuple(patterns)
