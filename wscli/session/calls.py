"""``http:`` of a step: an HTTP call, with the keys of a token source's."""

from __future__ import annotations

from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, PlainValidator, ValidationInfo, WithJsonSchema

from wscli.templates import JsonTemplate, Template, compile_template
from wscli.tokens.field_types import (
    HeaderName,
    Url,
    parse_header,
    parse_json,
    parse_template,
    parse_url,
    without_defaults,
)
from wscli.tokens.sources.http import HttpSource
from wscli.values import Count, Scalar

__all__ = ["CALL_SPACES", "SessionHttp"]

CALL_SPACES = ("token", "param", "with", "var", "sub", "msg", "now")
"""The namespaces of a call in any step; the validation's context may name fewer as ``spaces``."""
_BOUND_SPACES = ("token", "with")
"""Namespaces whose values come from the file or a token source."""


def _spaces(info: ValidationInfo) -> tuple[str, ...]:
    return tuple((info.context or {}).get("spaces", CALL_SPACES))


def _parse_url(value: object, info: ValidationInfo) -> Url:
    """Compile a URL, which may begin with a ``{with.NAME}`` of the file.

    A host that a server or a channel's name decides is refused: the call carries credentials.
    """
    spaces = _spaces(info)
    if isinstance(value, str) and value.startswith("{with."):
        template = parse_template(value, spaces)
        return Url(template, without_defaults(value.redacted if isinstance(value, Scalar) else value).partition("?")[0])
    url = parse_url(value, spaces)
    host = compile_template(urlsplit(url.template.source).netloc, CALL_SPACES)
    for space, name in sorted(host.references):
        if space not in _BOUND_SPACES:
            raise ValueError(f"'{{{space}.{name}}}' cannot be in the host: the call would go to another host")
    return url


_TEXT = WithJsonSchema({"type": "string"})
_Template = Annotated[Template, PlainValidator(lambda value, info: parse_template(value, _spaces(info))), _TEXT]
_Header = Annotated[Template, PlainValidator(lambda value, info: parse_header(value, _spaces(info))), _TEXT]
_Url = Annotated[
    Url,
    PlainValidator(_parse_url),
    WithJsonSchema({"type": "string", "examples": ["https://api.example.com/ticket"]}),
]
_Json = Annotated[
    JsonTemplate,
    PlainValidator(lambda value, info: parse_json(value, _spaces(info))),
    WithJsonSchema({"description": "any JSON value"}),
]


class SessionHttp(HttpSource):
    """An HTTP call whose JSON answer is what the step's ``expect``, ``set`` and ``keep`` see."""

    METHODS: ClassVar[tuple[str, ...]] = ("post", "get", "put", "patch", "delete")
    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [key]} for key in METHODS]})

    headers: Annotated[dict[HeaderName, _Header], Field(default_factory=dict, description="headers to send, by name")]
    post: Annotated[_Url | None, Field(description="the URL to POST to")] = None
    get: Annotated[_Url | None, Field(description="the URL to GET")] = None
    put: Annotated[_Url | None, Field(description="the URL to PUT to")] = None
    patch: Annotated[_Url | None, Field(description="the URL to PATCH")] = None
    delete: Annotated[_Url | None, Field(description="the URL to DELETE")] = None
    body_json: Annotated[_Json | None, Field(alias="json", description="the body, sent as compact JSON")] = None
    form: Annotated[dict[str, _Template] | None, Field(description="the body, sent as a form")] = None
    accept: Annotated[
        tuple[Annotated[Count, Field(ge=300, le=599)], ...],
        Field(description="statuses beside 2xx that are answers too, such as [409]"),
    ] = ()
