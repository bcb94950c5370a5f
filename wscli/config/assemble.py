"""A plan, from what was typed and what was compiled; nothing is wrong with either any more."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from wscli.config.checks.channels import CompiledChannel
from wscli.config.checks.gateway import gateway_plan
from wscli.config.checks.hooks import hook_plan
from wscli.config.models.file import ChannelModel, EndpointModel, FileModel, KeepaliveModel, RotateModel
from wscli.config.plan import ChannelPlan, DialPlan, EndpointPlan, Keepalive, Plan, Rotate, UpstreamPlan

__all__ = ["assemble"]


def assemble(
    model: FileModel,
    channels: Mapping[str, CompiledChannel],
    *,
    name: str,
    file: Path,
    base: Path,
) -> Plan:
    """Put the plan together. Channels share with their endpoint what they do not change."""
    return Plan(
        name=name,
        file=file,
        endpoints={name: EndpointPlan(name, one.connect.rate) for name, one in model.endpoints.items()},
        channels={
            channel: _channel(channel, compiled, model.channels[channel], model.endpoints, base)
            for channel, compiled in channels.items()
        },
        tokens=model.tokens,
        announce_after=model.announce_after,
        gateway=None if model.gateway is None else gateway_plan(model.gateway, base),
    )


def _channel(
    name: str, compiled: CompiledChannel, model: ChannelModel, endpoints: Mapping[str, EndpointModel], base: Path
) -> ChannelPlan:
    above = endpoints[model.endpoint]
    endpoint = compiled.endpoint
    dial = DialPlan(
        url=endpoint.address.url,
        shown_url=endpoint.address.shown,
        path=compiled.path,
        query=compiled.request.query,
        headers=compiled.request.headers,
        subprotocols=compiled.request.subprotocols,
        compression=above.compression,
        tls=endpoint.tls,
        proxy=endpoint.proxy,
        max_message=above.max_message if model.max_message is None else model.max_message,
        timeout=above.connect.timeout,
    )
    upstream = UpstreamPlan(
        endpoint=str(model.endpoint),
        dial=dial,
        keepalive=_keepalive(above, model),
        verdicts=compiled.verdicts,
        backoff=compiled.backoff,
        rotate=_rotate(above, model),
    )
    return ChannelPlan(
        name=name,
        params=compiled.params,
        upstream=upstream,
        history=model.history,
        eager=not compiled.params and model.open != "lazy",
        critical=model.critical,
        linger=model.linger,
        dedupe=model.dedupe if "dedupe" in model.model_fields_set else above.dedupe,
        backfill=model.backfill,
        on_state=hook_plan(model.on_state, base),
        on_message=hook_plan(model.on_message, base),
    )


_DEFAULT = Keepalive()
_NO_PINGS = Keepalive(ping=None)


def _keepalive(endpoint: EndpointModel, channel: ChannelModel) -> Keepalive:
    """Merge by key: a channel that sets one of the two keeps the other of its endpoint's."""
    nearest = endpoint.keepalive if channel.keepalive is None else channel.keepalive
    if not isinstance(nearest, KeepaliveModel):
        return _NO_PINGS
    merged: dict[str, float] = {}
    for level in (endpoint.keepalive, channel.keepalive):
        if isinstance(level, KeepaliveModel):
            merged |= level.model_dump(exclude_unset=True)
    keepalive = Keepalive(**merged)
    return _DEFAULT if keepalive == _DEFAULT else keepalive


def _rotate(endpoint: EndpointModel, channel: ChannelModel) -> Rotate | None:
    """Merge by key, as the keepalive is."""
    nearest = endpoint.rotate if channel.rotate is None else channel.rotate
    if not isinstance(nearest, RotateModel):
        return None
    merged: dict[str, float] = {}
    for level in (endpoint.rotate, channel.rotate):
        if isinstance(level, RotateModel):
            merged |= level.model_dump(exclude_unset=True)
    rotate = Rotate(**merged)
    return None if rotate == Rotate() else rotate
