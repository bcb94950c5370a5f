"""Assemble a plan from the validated model and the compiled channels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeVar

from wscli.config.checks.channels import CompiledChannel
from wscli.config.clients import ClientsPlan
from wscli.config.dial_plan import DialPlan
from wscli.config.models.file import ChannelModel, EndpointModel, FileModel, ShareModel
from wscli.config.models.hooks import ConnectHook, MessageHook, StateHook
from wscli.config.models.upstream import Keepalive, Rotate
from wscli.config.plan import ChannelPlan, Plan, UpstreamPlan
from wscli.core.backoff import BackoffPolicy, LookAgain
from wscli.net.subprotocols import is_stateful

__all__ = ["assemble"]

LOOK_AGAIN = 600.0
"""Seconds between two dials of a failed critical channel, at most, where the file says nothing."""


def assemble(
    model: FileModel,
    channels: Mapping[str, CompiledChannel],
    backoff: BackoffPolicy,
    *,
    name: str,
    file: Path,
    secrets: frozenset[str],
) -> Plan:
    """Assemble the plan; channels share with their endpoint what they do not change.

    ``backoff`` is the default; ``secrets`` are the values of ``${VAR}``.
    """
    return Plan(
        name=name,
        file=file,
        endpoints={name: one.connect.rate for name, one in model.endpoints.items()},
        channels={
            channel: _channel(channel, compiled, model.channels[channel], model.endpoints, secrets)
            for channel, compiled in channels.items()
        },
        tokens=model.tokens,
        backoff=backoff,
        announce_after=model.announce_after,
        gateway=model.gateway,
    )


def _channel(
    name: str,
    compiled: CompiledChannel,
    model: ChannelModel,
    endpoints: Mapping[str, EndpointModel],
    secrets: frozenset[str],
) -> ChannelPlan:
    above = endpoints[model.endpoint]
    rotate = _merged(Rotate, above.rotate, model.rotate)
    upstream = UpstreamPlan(
        endpoint=str(model.endpoint),
        dial=_dial(compiled, model, above, secrets),
        keepalive=_merged(Keepalive, above.keepalive, model.keepalive) or Keepalive(ping=None),
        verdicts=compiled.verdicts,
        backoff=compiled.backoff,
        rotate=None if rotate == Rotate() else rotate,
        retry_after_max=above.retry_after_max,
        look_again=_look_again(above.look_again if model.look_again is None else model.look_again, model),
        silence=None if model.silence == "none" else model.silence,
        of_channel=len(compiled.verdicts) - len(compiled.endpoint.verdicts),
        rotates=(model.rotate or ("rotate" in above.model_fields_set and above.rotate)) != "none",
        share=compiled.endpoint.share,
        most_channels=above.share.channels if isinstance(above.share, ShareModel) else None,
        session=None if compiled.endpoint.session is None else compiled.endpoint.session.plan,
    )
    clients = ClientsPlan(
        declared=above.clients if model.clients is None else model.clients,
        strict=above.strict if model.strict is None else model.strict,
        stateful=any(is_stateful(one.source) for one in compiled.request.subprotocols if not one.references),
        session=upstream.session is not None,
    )
    return ChannelPlan(
        name=name,
        params=compiled.params,
        upstream=upstream,
        history=model.history,
        eager=not compiled.params and (model.open or _opens(model, clients)) == "eager",
        critical=model.critical,
        linger=model.linger,
        dedupe=model.dedupe if "dedupe" in model.model_fields_set else above.dedupe,
        backfill=model.backfill,
        values=compiled.values,
        clients=clients,
        on_connect=ConnectHook(exec=model.on_connect) if isinstance(model.on_connect, tuple) else model.on_connect,
        on_state=StateHook(exec=model.on_state) if isinstance(model.on_state, tuple) else model.on_state,
        on_message=MessageHook(exec=model.on_message) if isinstance(model.on_message, tuple) else model.on_message,
    )


def _opens(model: ChannelModel, clients: ClientsPlan) -> Literal["eager", "lazy"]:
    """Give the default: where each client has its own upstream, only a hook could speak on the channel's."""
    return "lazy" if clients.own and model.on_connect is None else "eager"


def _dial(compiled: CompiledChannel, model: ChannelModel, above: EndpointModel, secrets: frozenset[str]) -> DialPlan:
    endpoint = compiled.endpoint
    return DialPlan(
        url=endpoint.address.url,
        shown_url=endpoint.address.shown,
        url_template=None if endpoint.address.placed is None else endpoint.address.placed.template,
        url_hosts=endpoint.url_hosts,
        shown_query=endpoint.address.query_names,
        connect_to=endpoint.address.connect_to,
        shown_connect_to=endpoint.address.shown_connect_to,
        path=compiled.path,
        shown_path=compiled.shown_path,
        query=compiled.request.query,
        headers=compiled.request.headers,
        subprotocols=compiled.request.subprotocols,
        compression=above.compression,
        tls=above.tls,
        proxy=endpoint.proxy,
        shown_proxy=endpoint.shown_proxy,
        max_message=above.max_message if model.max_message is None else model.max_message,
        timeout=above.connect.timeout,
        undeclared=compiled.undeclared,
        secrets=secrets,
    )


def _look_again(declared: float | Literal["never"] | None, channel: ChannelModel) -> LookAgain | None:
    if declared is None:
        return LookAgain(LOOK_AGAIN, declared=False) if channel.critical else None
    return None if declared == "never" else LookAgain(declared, declared=True)


_Settings = TypeVar("_Settings", Keepalive, Rotate)


def _merged(
    kind: type[_Settings], endpoint: _Settings | Literal["none"], channel: _Settings | Literal["none"] | None
) -> _Settings | None:
    """Merge by key: the keys that a channel does not set are its endpoint's; None where the nearest is ``none``."""
    if channel is None or channel == "none":
        nearest = channel or endpoint
        return None if nearest == "none" else nearest
    keys = {} if endpoint == "none" else endpoint.model_dump(exclude_unset=True)
    return kind(**{**keys, **channel.model_dump(exclude_unset=True)})
