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
from typing import Any

from wscli.backfill.models import BackfillModel
from wscli.config.clients import ClientsPlan
from wscli.config.dial_plan import DialPlan, UpstreamKey
from wscli.config.models.gateway import MOST_CLIENTS, GatewayPlan
from wscli.config.models.hooks import ConnectHook, MessageHook, StateHook
from wscli.config.models.upstream import Keepalive, Rotate
from wscli.core.backoff import BackoffPolicy, LookAgain
from wscli.core.moves import Policy
from wscli.core.verdicts import VerdictTable
from wscli.history.limits import HistoryLimits
from wscli.session.plan import SessionPlan
from wscli.templates import JsonTemplate, compile_json
from wscli.templates.paths import JsonPath
from wscli.tokens.models import TokenSource
from wscli.values import Rate

__all__ = ["ChannelPlan", "Plan", "UpstreamPlan"]


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
    of_channel: int = 0
    """How many of ``verdicts`` the channel declares."""
    rotates: bool = True
    """Whether the next connection may be opened before the present one is closed; ``rotate: none`` forbids it."""

    @property
    def shared(self) -> UpstreamPlan:
        """The plan of a connection that several channels share: the verdicts of one are on its subscription."""
        return replace(self, verdicts=self.verdicts[self.of_channel :], of_channel=0) if self.of_channel else self

    @property
    def policy(self) -> Policy:
        """What its machine goes by."""
        return Policy(self.backoff, self.verdicts, self.look_again, self.rotates)

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
        scope = {"param": params, "with": values}
        used = () if self.session is None else sorted(self.session.upstream_values)
        named = tuple((space, name, json.dumps(scope[space].get(name), sort_keys=True)) for space, name in used)
        return self.dial.key(scope, named)


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
    clients: ClientsPlan = ClientsPlan()
    on_connect: ConnectHook | None = None
    on_state: StateHook | None = None
    on_message: MessageHook | None = None

    def fill_values(self, params: Mapping[str, str]) -> Mapping[str, Any]:
        """Give the values of ``{with.NAME}`` for a channel's parameters.

        Raises:
            ValueError: a filter cannot take a parameter.
        """
        values: Mapping[str, Any] = self.values.render({"param": params})
        return values


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
    def max_clients(self) -> int:
        """How many clients of the gateway there may be, and how many clients with an upstream of their own."""
        return MOST_CLIENTS if self.gateway is None else self.gateway.max_clients

    @property
    def secrets(self) -> frozenset[str]:
        """The values of variables, which must not be printed."""
        return frozenset(filter(None, self.variables.values()))
