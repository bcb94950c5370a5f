"""A channel, compiled against its endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wscli.config.checks.context import Context, LocatedTemplate, Use, nearest, uses_of
from wscli.config.checks.endpoints import CompiledEndpoint, UpgradeRequest
from wscli.config.checks.hooks import check_hook
from wscli.config.checks.names import channel_params
from wscli.config.checks.overlaps import Overlaps
from wscli.config.checks.policies import Policies, check_shared_verdicts, check_strict, check_verdicts
from wscli.config.checks.references import check_backfill
from wscli.config.checks.session.values import check_uses, compile_values
from wscli.config.reading.located import Located
from wscli.core.backoff import BackoffPolicy
from wscli.core.verdicts import VerdictTable
from wscli.templates import JsonTemplate, PathTemplate, TemplateError, compile_path, did_you_mean
from wscli.values import Scalar, shown

__all__ = ["CompiledChannel", "compile_channels"]


@dataclass(slots=True)
class CompiledChannel:
    """A channel, compiled."""

    params: tuple[str, ...]
    endpoint: CompiledEndpoint
    path: PathTemplate | None
    shown_path: PathTemplate | None
    """The path with ``***`` for values of the environment."""
    request: UpgradeRequest
    values: JsonTemplate
    undeclared: frozenset[str]
    """Token sources that the dial names with a default, and that are not declared."""
    verdicts: tuple[VerdictTable, ...]
    backoff: BackoffPolicy


def compile_channels(
    located: Located | None, endpoints: Mapping[str, CompiledEndpoint] | None, policies: Policies, context: Context
) -> dict[str, CompiledChannel]:
    """Compile and check all channels; problems go to the context.

    ``endpoints`` is None where the section cannot be read.
    """
    overlaps, found = Overlaps(), {}
    for name, channel in located.entries() if located is not None else ():
        params = channel_params(channel, context)
        if params and (earlier := overlaps.add(name)):
            context.add(channel, f"the name of a channel could match both this and {earlier!r}", key=True)
        if params and (how := channel.get("open")) is not None and how.text == "eager":
            context.add(how, "a template is always lazy; its channels open when they are used")
        compiled = _compile(channel, params, endpoints, policies, context)
        if compiled is not None:
            found[name] = compiled
    return found


def _compile(
    located: Located,
    params: tuple[str, ...],
    endpoints: Mapping[str, CompiledEndpoint] | None,
    policies: Policies,
    context: Context,
) -> CompiledChannel | None:
    path, shown_path = _path(located.get("path"), params, context)
    endpoint = _endpoint(located.get("endpoint"), endpoints, context)
    verdicts = check_verdicts(located.get("verdicts"), () if endpoint is None else endpoint.verdicts, context)
    for event in ("on_connect", "on_state", "on_message"):
        check_hook(located.get(event), context)
    check_backfill(located.get("backfill"), params, context)
    values = compile_values(located.get("with"), params, context)
    if endpoint is None:
        # the rest is checked without an endpoint
        UpgradeRequest({}, {}, ()).changed(located, context)
        policies.resolve(located.get("backoff"), policies.default)
        return None
    if endpoint.share:
        check_shared_verdicts(located.get("verdicts"), context)
    request = endpoint.request.changed(located, context)
    if request is not endpoint.request:
        request.check_user(endpoint.address, context)
    url = () if endpoint.address.placed is None else uses_of(endpoint.address.placed)
    of_path = (
        ()
        if path is None
        else tuple(
            use
            for template in path.templates.values()
            for use in uses_of(LocatedTemplate(template, located.get("path") or located))
        )
    )
    dial = (*url, *request.uses, *of_path)
    check_uses(located, params, endpoint.session, dial, context)
    _check_clients(located, endpoint, dial, context)
    tokens = {use.placeholder.name for use in dial if use.placeholder.space == "token"}
    return CompiledChannel(
        params=params,
        endpoint=endpoint,
        path=path,
        shown_path=shown_path,
        request=request,
        values=values,
        undeclared=frozenset(name for name in tokens if not context.has_token(name)),
        verdicts=verdicts,
        backoff=policies.resolve(located.get("backoff"), endpoint.backoff).policy,
    )


def _check_clients(channel: Located, endpoint: CompiledEndpoint, dial: Sequence[Use], context: Context) -> None:
    """Check what own upstreams of clients cannot do: outlive their client's, and run the steps of a session."""
    own_clients, own_strict = channel.get("clients"), channel.get("strict")
    clients, strict = own_clients or endpoint.clients, own_strict or endpoint.strict
    check_strict(clients, strict, own_strict or own_clients, context)
    if clients is not None and clients.text == "own":
        for use in dial:
            if use.placeholder.space == "var" and use.placeholder.default is None:
                text = (
                    f"the dial names '{use.placeholder}', which a session sets: an upstream of a client's own has none"
                )
                context.add(own_clients or channel, text, key=own_clients is None)
                break


def _endpoint(
    located: Located | None, endpoints: Mapping[str, CompiledEndpoint] | None, context: Context
) -> CompiledEndpoint | None:
    if endpoints is None or located is None or located.text is None or context.problems.at(located.mark):
        return None
    found = endpoints.get(str(located.text))
    if found is None:
        near = nearest(str(located.text), endpoints, "endpoints")
        context.add(located, f"unknown endpoint: {shown(located.text)}{near}")
    return found


_IN_PATH = ("with", "var")
_Paths = tuple[PathTemplate, PathTemplate] | tuple[None, None]


def _path(located: Located | None, params: tuple[str, ...], context: Context) -> _Paths:
    """Compile a path, and what may be shown of it."""
    if located is None or located.text is None or context.problems.at(located.mark):
        return None, None
    text = located.text
    if not text.startswith("/"):
        context.add(located, f"invalid path: {shown(text)}; a path begins with '/'")
        return None, None
    for name in ("token", "param"):  # a token is a secret, and a path is shown
        if f"{{{name}." in text.redacted:
            context.add(located, f"invalid path: {shown(text)}; a path has bare parameters, such as '{{id}}'")
            return None, None
    try:
        path, written = (compile_path(one, _IN_PATH) for one in (text, Scalar(text.redacted)))
    except TemplateError as error:
        context.add(located, str(error) if text.redacted == text else f"invalid path: {shown(text)}")
        return None, None
    if path.params != written.params:  # a message would quote the environment
        context.add(located, f"invalid path: {shown(text)}; a value of the environment cannot hold a parameter")
        return None, None
    for name in path.params:
        if name not in params:
            near = did_you_mean(name, params)
            context.add(located, f"'{{{name}}}' is not a parameter of the channel's name{near}")
    return path, written
