"""An endpoint, compiled: what its channels start from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wscli.config.context import Context, Placed
from wscli.config.policies import Policies, Resolved, check_verdicts
from wscli.config.spots import Spot
from wscli.config.tls import check_tls
from wscli.config.upgrade import Headers, check_headers, check_query, check_subprotocols
from wscli.config.urls import Address, check_url, compile_proxy
from wscli.core.verdicts import VerdictTable
from wscli.net.proxy import ProxyChoice
from wscli.net.tls import TlsSettings
from wscli.templates import Template
from wscli.values import Secret

__all__ = ["Endpoint", "Request", "compile_endpoint"]

_NOWHERE = Address(Secret(""), "", secure=True, has_user=False)


class Request:
    """The upgrade request's changeable parts, shared by all channels that change none of them."""

    def __init__(self, query: Mapping[str, Placed], headers: Headers, subprotocols: tuple[Placed, ...]) -> None:
        self._placed = (query, headers, subprotocols)
        self.query: Mapping[str, Template] = {name: placed.template for name, placed in query.items()}
        self.headers: Mapping[str, Template] = {name: placed.template for name, placed in headers.values()}
        self.subprotocols = tuple(placed.template for placed in subprotocols)
        everything = (*query.values(), *(placed for _, placed in headers.values()), *subprotocols)
        self.uses_params = tuple(
            (name, placed.spot)
            for placed in everything
            for space, name in sorted(placed.template.references)
            if space == "param"
        )
        """The parameters in it, and where."""

    def changed(self, spot: Spot, context: Context) -> Request:
        """Apply what a channel says: maps merge by key, lists replace."""
        query, headers, subprotocols = spot.get("query"), spot.get("headers"), spot.get("subprotocols")
        if query is None and headers is None and subprotocols is None:
            return self
        old_query, old_headers, old_subprotocols = self._placed
        return Request(
            {**old_query, **check_query(query, context)},
            {**old_headers, **check_headers(headers, context)},
            old_subprotocols if subprotocols is None else check_subprotocols(subprotocols, context),
        )

    def check_user(self, address: Address, context: Context) -> None:
        """Refuse two sets of credentials."""
        authorization = self._placed[1].get("authorization")
        if address.has_user and authorization is not None:
            context.add(authorization[1].spot, "the url already names a user; keep one of the two", key=True)


@dataclass(slots=True)
class Endpoint:
    """An endpoint, compiled."""

    address: Address
    request: Request
    tls: TlsSettings
    proxy: ProxyChoice
    verdicts: tuple[VerdictTable, ...]
    """The endpoint's, the file's; empty ones left out."""
    backoff: Resolved


def compile_endpoint(spot: Spot, policies: Policies, above: tuple[VerdictTable, ...], context: Context) -> Endpoint:
    """Compile and check; what is wrong goes to the context's problems."""
    url = spot.get("url")
    address = (check_url(url, context) if url is not None else None) or _NOWHERE
    request = Request(
        check_query(spot.get("query"), context),
        check_headers(spot.get("headers"), context),
        check_subprotocols(spot.get("subprotocols"), context),
    )
    request.check_user(address, context)
    own = check_verdicts(spot.get("verdicts"), context)
    return Endpoint(
        address=address,
        request=request,
        tls=check_tls(spot.get("tls"), context, secure=address.secure),
        proxy=compile_proxy(spot.get("proxy"), context),
        verdicts=(own, *above) if own else above,
        backoff=policies.resolve(spot.get("backoff"), policies.default),
    )
