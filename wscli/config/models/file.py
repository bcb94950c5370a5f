"""The keys of the file, their types and descriptions. References are checked on the node tree.

``backoff`` and ``verdicts`` are not validated here: a policy is complete only after its merge, and each verdict has a
problem line of its own. Their types serve the JSON Schema.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, PlainValidator, SkipValidation, WithJsonSchema

from wscli.backfill.models import BackfillModel
from wscli.config.models.fields import EndpointTls, Text, require_text
from wscli.config.models.gateway import GatewayPlan
from wscli.config.models.hooks import ConnectHookOf, MessageHookOf, StateHookOf
from wscli.config.models.upstream import ConnectModel, Keepalive, KeepaliveOf, ProxyModel, Rotate
from wscli.core.backoff import BackoffPolicy
from wscli.core.verdicts import Verdicts
from wscli.history.limits import HistoryLimits
from wscli.net.tls import TlsSettings
from wscli.session.models import SessionModel
from wscli.session.preset import preset_names
from wscli.templates.paths import JsonPath, compile_path_expression
from wscli.tokens.models import TokenSource
from wscli.values import Count, Duration, Flag, Size, StrictModel

__all__ = ["ChannelModel", "EndpointModel", "FileModel", "ShareModel"]


Templates = dict[str, Text]
BackoffOf = Annotated[
    SkipValidation[str | BackoffPolicy],
    Field(description="the name of a policy, or a policy of its own, merged over the one that would apply"),
]
VerdictsOf = Annotated[
    SkipValidation[Verdicts],
    Field(
        default_factory=dict,
        description="what to do about close codes (4401), ranges (4000-4099), HTTP statuses (503, 5xx) and kinds (dns)",
    ),
]

LookAgainOf = Annotated[
    Literal["never"] | Annotated[Duration, Field(ge=1)] | None,
    Field(
        description="a failed channel is dialled again this often, at the latest; never. "
        "Default: 10m for critical channels, unless the file itself says that the failure is final"
    ),
]


RotateOf = Annotated[
    Literal["none"] | Rotate,
    Field(description="{before_expiry: DURATION, max_age: DURATION}, the earlier counts; none: not until it ends"),
]


ClientsOf = Annotated[
    Literal["shared", "own"] | None,
    Field(
        description="shared: all clients of the gateway and the adapter use one upstream; own: one for each client. "
        "Default: own for a subprotocol with a state for each connection, such as mqtt, without a session"
    ),
]
StrictOf = Annotated[
    Flag | None,
    Field(
        description="true: a client of the gateway or the adapter is closed when the shared upstream is lost; "
        "false: it stays. Default: true for a subprotocol with a state for each connection, such as mqtt, without a "
        "session"
    ),
]
DedupeOf = Annotated[
    JsonPath | None,
    PlainValidator(lambda value: None if value == "none" else compile_path_expression(require_text(value))),
    WithJsonSchema({"type": "string"}),
]
Headers = Annotated[Templates, Field(default_factory=dict, description="HTTP headers of the upgrade, by name")]
Query = Annotated[
    dict[str, Text | tuple[Text, ...]],
    Field(default_factory=dict, description="query parameters that are added to the url, by name; a list repeats one"),
]
Subprotocols = Annotated[tuple[Text, ...], Field(description="what to offer as Sec-WebSocket-Protocol, in this order")]
MaxMessage = Annotated[Size, Field(ge=1, description="a larger message closes the connection with 1009")]


class ShareModel(StrictModel):
    """Channels share connections, so many on each."""

    channels: Annotated[Count, Field(ge=1, description="the most channels on one connection; then a further one opens")]


def _preset_has_a_url(schema: dict[str, Any]) -> None:
    schema["required"] = [key for key in schema.get("required", ()) if key != "url"]
    schema["anyOf"] = [{"required": ["url"]}, {"required": ["preset"]}]


class EndpointModel(StrictModel):
    """A server, and how to connect to it."""

    model_config = ConfigDict(json_schema_extra=_preset_has_a_url)

    url: Annotated[
        Text, Field(description="ws://, wss:// or unix:PATH of a socket; the paths of channels are appended")
    ]
    preset: Annotated[
        Text | None,
        WithJsonSchema({"enum": list(preset_names())}),
        Field(description="a protocol by name: its session, verdicts and so on are put below these keys"),
    ] = None
    tokens: Annotated[
        dict[str, str],
        Field(description="names of the preset's tokens, and the sources to use in their place"),
        WithJsonSchema({"type": "object", "additionalProperties": {"type": "string"}, "examples": [{"slack": "mine"}]}),
    ] = Field(default_factory=dict)
    session: Annotated[
        SkipValidation[SessionModel | None],
        Field(description="what happens on a connection: log-in, subscriptions, heartbeats"),
    ] = None
    share: Annotated[
        Flag | ShareModel,
        Field(description="true: channels with equal dials share a connection; {channels: N}: N on each at most"),
    ] = False
    url_hosts: Annotated[
        tuple[Text, ...],
        Field(
            description="hosts that a url with a placeholder in its host may lead to, such as *.example.com",
            json_schema_extra={"examples": [["*.example.com"]]},
        ),
    ] = ()
    connect_to: Annotated[
        Text | None,
        Field(description="HOST:PORT or unix:PATH to connect to, in place of the url's; Host and TLS stay the url's"),
    ] = None
    query: Query
    headers: Headers
    subprotocols: Subprotocols = ()
    compression: Annotated[
        Literal["deflate", "none"], Field(description="deflate: offer permessage-deflate; none: offer nothing")
    ] = "deflate"
    tls: Annotated[EndpointTls, Field(description="TLS beyond the system's defaults")] = TlsSettings()
    proxy: Annotated[
        Text | ProxyModel, Field(description="auto (the environment's), none, a URL, or {url, username, password}")
    ] = "auto"
    max_message: MaxMessage = 1 << 20
    connect: Annotated[ConnectModel, Field(description="how dials are made")] = ConnectModel()
    retry_after_max: Annotated[
        Duration | None, Field(gt=0, description="a longer Retry-After is cut to this; without it, none is")
    ] = None
    keepalive: KeepaliveOf = Keepalive()
    rotate: RotateOf = "none"
    dedupe: Annotated[
        DedupeOf, Field(description="a path such as .id: a message whose value there was seen is dropped; or none")
    ] = None
    verdicts: VerdictsOf
    backoff: BackoffOf = "default"
    look_again: LookAgainOf = None
    clients: ClientsOf = None
    strict: StrictOf = None


class ChannelModel(StrictModel):
    """A channel type: one connection, or with {id} in its name one for each id that is used."""

    endpoint: Annotated[Text, Field(description="the name of its endpoint")]
    path: Annotated[
        Text | None, Field(description="what is appended to the endpoint's url, such as /notifications")
    ] = None
    critical: Annotated[
        Flag, Field(description="false: `wscli pause --noncritical` pauses it, and critical channels dial before it")
    ] = True
    open: Annotated[
        Literal["eager", "lazy"] | None,
        Field(
            description="eager: at the start; lazy: at its first use. Default: eager; lazy for templates, "
            "and for own clients without on_connect"
        ),
    ] = None
    linger: Annotated[Duration, Field(description="a lazy channel closes this long after its last use")] = 5.0
    history: Annotated[HistoryLimits, Field(description="the replay window")] = HistoryLimits()
    query: Annotated[Query, Field(description="query parameters, merged over the endpoint's")]
    headers: Annotated[Headers, Field(description="headers of the upgrade, merged over the endpoint's")]
    subprotocols: Annotated[
        Subprotocols | None, Field(description="what to offer as Sec-WebSocket-Protocol, in place of the endpoint's")
    ] = None
    keepalive: Annotated[
        KeepaliveOf | None,
        Field(
            description="{ping: DURATION, timeout: DURATION}, merged over the endpoint's, or none for no pings; "
            "default: the endpoint's"
        ),
    ] = None
    silence: Annotated[
        Literal["none"] | Annotated[Duration, Field(gt=0)] | None,
        Field(description="a connection that brings no message for this long is lost, and dialled again; or none"),
    ] = None
    rotate: Annotated[
        RotateOf | None,
        Field(
            description="{before_expiry: DURATION, max_age: DURATION}, merged over the endpoint's, or none; "
            "default: the endpoint's"
        ),
    ] = None
    dedupe: Annotated[
        DedupeOf, Field(description="a path such as .id, in place of the endpoint's, or none to drop nothing")
    ] = None
    values: Annotated[
        Any,
        Field(alias="with", description="values of {with.NAME} in the endpoint's session and dial, any JSON, by name"),
        WithJsonSchema({"type": "object", "additionalProperties": {}, "examples": [{"query": "subscription { x }"}]}),
    ] = None
    backfill: Annotated[
        BackfillModel | None, Field(description="the HTTP call that gives what was missed in a gap, where there is one")
    ] = None
    verdicts: VerdictsOf
    backoff: BackoffOf | None = None
    look_again: LookAgainOf = None
    max_message: Annotated[MaxMessage | None, Field(description="the largest, in place of the endpoint's")] = None
    clients: ClientsOf = None
    strict: StrictOf = None
    on_connect: Annotated[
        ConnectHookOf | None,
        Field(description="a command for each new connection: [PROGRAM, ARGUMENT...], or {exec, timeout}"),
    ] = None
    on_state: Annotated[
        StateHookOf | None,
        Field(description="a command for each change of state: [PROGRAM, ARGUMENT...], or {exec, timeout}"),
    ] = None
    on_message: Annotated[
        MessageHookOf | None,
        Field(description="a command for each message: [PROGRAM, ARGUMENT...], or {exec, jq, parallel, timeout}"),
    ] = None


class FileModel(StrictModel):
    """A wscli file: servers, tokens and the channels that scripts share."""

    version: Annotated[
        Literal["1"],
        Field(description="of this format"),
        WithJsonSchema({"enum": [1, "1"], "description": "of this format"}),
    ] = "1"
    name: Annotated[
        Text | None,
        Field(description="the instance: a-z, 0-9, _ or -; default: the file's stem (for wscli.yaml its directory)"),
    ] = None
    endpoints: Annotated[dict[str, EndpointModel], Field(default_factory=dict, description="servers, by name")]
    tokens: Annotated[
        dict[str, TokenSource], Field(default_factory=dict, description="token sources, by the name in {token.NAME}")
    ]
    verdicts: VerdictsOf
    backoff: Annotated[
        SkipValidation[dict[str, BackoffPolicy]],
        Field(
            default_factory=dict,
            description="backoff policies, by name; each is merged over 'default', which applies where none is named",
        ),
    ]
    channels: Annotated[dict[str, ChannelModel], Field(default_factory=dict, description="channel types, by name")]
    announce_after: Annotated[
        Duration, Field(description="an outage shorter than this is counted, and not announced")
    ] = 5.0
    gateway: Annotated[
        GatewayPlan | None, Field(description="the local HTTP and WebSocket server; off unless it is declared")
    ] = None
