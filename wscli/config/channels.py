"""A channel, compiled against its endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wscli.config.ambiguity import Overlaps
from wscli.config.backfill import check_backfill
from wscli.config.context import Context
from wscli.config.endpoints import Endpoint, Request
from wscli.config.hooks import check_hook
from wscli.config.names import channel_params
from wscli.config.policies import Policies, check_verdicts
from wscli.config.spots import Spot
from wscli.core.backoff import BackoffPolicy
from wscli.core.verdicts import VerdictTable
from wscli.templates import PathTemplate, TemplateError, compile_path, did_you_mean
from wscli.values import Scalar, shown

__all__ = ["Channel", "compile_channels"]


@dataclass(slots=True)
class Channel:
    """A channel, compiled."""

    params: tuple[str, ...]
    endpoint: Endpoint
    path: PathTemplate | None
    request: Request
    verdicts: tuple[VerdictTable, ...]
    backoff: BackoffPolicy


def compile_channels(
    spot: Spot | None, endpoints: Mapping[str, Endpoint] | None, policies: Policies, context: Context
) -> dict[str, Channel]:
    """Compile and check all channels; what is wrong goes to the context's problems.

    ``endpoints`` is None where nobody can tell which there are.
    """
    overlaps, found = Overlaps(), {}
    for name, channel in spot.entries() if spot is not None else ():
        params = channel_params(channel, context)
        if params and (earlier := overlaps.add(name)):
            context.add(channel, f"a channel could fit both this and {earlier!r}", key=True)
        if params and (how := channel.get("open")) is not None and how.text == "eager":
            context.add(how, "a template is always lazy; only its uses name the channels to open")
        compiled = _compile(channel, params, endpoints, policies, context)
        if compiled is not None:
            found[name] = compiled
    return found


def _compile(
    spot: Spot, params: tuple[str, ...], endpoints: Mapping[str, Endpoint] | None, policies: Policies, context: Context
) -> Channel | None:
    path = _path(spot.get("path"), params, context)
    endpoint = _endpoint(spot.get("endpoint"), endpoints, context)
    own = check_verdicts(spot.get("verdicts"), context)
    for event in ("on_state", "on_message"):
        check_hook(spot.get(event), context)
    check_backfill(spot.get("backfill"), params, context)
    if endpoint is None:
        # The rest is checked all the same, against nothing.
        Request({}, {}, ()).changed(spot, context)
        policies.resolve(spot.get("backoff"), policies.default)
        return None
    request = endpoint.request.changed(spot, context)
    if request is not endpoint.request:
        request.check_user(endpoint.address, context)
    for name, used in request.uses_params:
        if name not in params and not context.problems.at(used.mark):
            near = did_you_mean(name, params)
            context.add(used, f"'{{param.{name}}}': the name of channel {spot.key!r} has no {{{name}}}{near}")
    return Channel(
        params=params,
        endpoint=endpoint,
        path=path,
        request=request,
        verdicts=(own, *endpoint.verdicts) if own else endpoint.verdicts,
        backoff=policies.resolve(spot.get("backoff"), endpoint.backoff).policy,
    )


def _endpoint(spot: Spot | None, endpoints: Mapping[str, Endpoint] | None, context: Context) -> Endpoint | None:
    if endpoints is None or spot is None or spot.text is None or context.problems.at(spot.mark):
        return None
    found = endpoints.get(str(spot.text))
    if found is None:
        near = did_you_mean(str(spot.text), endpoints)
        if not near:
            near = f"; declared: {', '.join(endpoints)}" if 0 < len(endpoints) <= 8 else "; 'endpoints:' declares them"
        context.add(spot, f"no endpoint is called {shown(spot.text)}{near}")
    return found


def _path(spot: Spot | None, params: tuple[str, ...], context: Context) -> PathTemplate | None:
    if spot is None or spot.text is None or context.problems.at(spot.mark):
        return None
    text = spot.text
    if not text.startswith("/"):
        context.add(spot, f"{shown(text)} is not a path; it begins with '/'")
        return None
    for name in ("token", "param"):
        if f"{{{name}." in text.redacted:
            context.add(spot, f"{shown(text)}: a path has bare parameters alone, such as '{{id}}'")
            return None
    try:
        path, written = compile_path(text), compile_path(Scalar(text.redacted))
    except TemplateError as error:
        context.add(spot, str(error) if text.redacted == text else f"{shown(text)} is not a path")
        return None
    if path.params != written.params:  # and a message would quote the environment
        context.add(spot, f"{shown(text)}: what comes from the environment cannot hold a parameter")
        return None
    for name in path.params:
        if name not in params:
            near = did_you_mean(name, params)
            context.add(spot, f"'{{{name}}}' is not a parameter of the channel's name{near}")
    return path
