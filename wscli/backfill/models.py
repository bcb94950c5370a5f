"""``backfill:``, the HTTP call that fetches messages a channel missed."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema

from wscli.templates import JsonTemplate, Template, compile_template
from wscli.tokens.field_types import HeaderName, PathText, Url, parse_header, parse_json, parse_template, parse_url
from wscli.tokens.sources.http import HttpSource
from wscli.values import Count, Duration, StrictModel

__all__ = ["CALL_NAMESPACES", "GAP_FIELDS", "BackfillModel"]

CALL_NAMESPACES = ("token", "param", "gap")
"""Of the placeholders in the call."""
GAP_FIELDS = ("after", "since", "start", "end")
"""The fields of every gap; ``capture`` adds others."""

_TEXT = WithJsonSchema({"type": "string"})
_CAPTURED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _bound(url: Url) -> Url:
    """Refuse a host that depends on a message or a channel's name: the call carries credentials."""
    host = compile_template(urlsplit(url.template.source).netloc, CALL_NAMESPACES)
    for space, name in sorted(host.references):
        if space != "token":
            raise ValueError(f"'{{{space}.{name}}}' cannot be in the host: the call would go to another host")
    return url


_Template = Annotated[Template, PlainValidator(lambda value: parse_template(value, CALL_NAMESPACES)), _TEXT]
_Header = Annotated[Template, PlainValidator(lambda value: parse_header(value, CALL_NAMESPACES)), _TEXT]
_Url = Annotated[
    Url,
    PlainValidator(lambda value: _bound(parse_url(value, CALL_NAMESPACES))),
    WithJsonSchema({"type": "string", "pattern": "^https?://", "examples": ["https://api.example.com/orders"]}),
]
_Json = Annotated[
    JsonTemplate,
    PlainValidator(lambda value: parse_json(value, CALL_NAMESPACES)),
    WithJsonSchema({"description": "any JSON value"}),
]


def _capturable(name: str) -> str:
    if not _CAPTURED.fullmatch(name):
        raise ValueError(f"invalid name: {name!r}; a name must consist of letters, digits and _")
    if name in GAP_FIELDS:
        raise ValueError(f"'{{gap.{name}}}' is a name that every gap has; choose another")
    return name


class BackfillHttp(HttpSource):
    """The call. Placeholders are {gap.NAME}, {param.NAME} and {token.NAME}; in the URL they are encoded."""

    headers: dict[HeaderName, _Header] = Field(default_factory=dict, description="headers to send")
    post: Annotated[_Url | None, Field(description="the URL to POST to")] = None
    get: Annotated[_Url | None, Field(description="the URL to GET")] = None
    put: Annotated[_Url | None, Field(description="the URL to PUT to")] = None
    body_json: Annotated[_Json | None, Field(alias="json", description="the body, sent as compact JSON")] = None
    form: Annotated[dict[str, _Template] | None, Field(description="the body, sent as a form")] = None


class BackfillModel(StrictModel):
    """How messages missed in a gap are fetched."""

    http: Annotated[BackfillHttp, Field(description="the call: {get: URL, headers}, or post or put with json or form")]
    capture: Annotated[
        dict[Annotated[str, AfterValidator(_capturable)], PathText],
        Field(
            default_factory=dict, description="{gap.NAME} by name: a path into the last message that has all of them"
        ),
    ]
    items: Annotated[
        PathText | None,
        Field(description="where the answer has the list of missed messages; default: the answer is the list"),
    ] = None
    show: Annotated[
        PathText | None, Field(description="where an item of the list has the message; default: it is the message")
    ] = None
    id: Annotated[PathText, Field(description="where a message has its unique id")]
    order: Annotated[
        Literal["oldest", "newest"], Field(description="the first message of the list; newest: only one call is made")
    ] = "oldest"
    calls: Annotated[
        Count, Field(ge=1, le=100, description="the maximum number of calls, each starting where the one before ended")
    ] = 10
    hold: Annotated[Duration, Field(description="how long new messages wait for the missed ones, at most")] = 10.0
