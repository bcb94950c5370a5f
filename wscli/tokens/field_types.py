"""The field types of the sources: templates with ``{token.other}``, URLs, headers, JSON, paths, proxies."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, PlainValidator, WithJsonSchema

from wscli.net.hosts import host_of
from wscli.net.proxy import ProxyChoice, ProxySettings, parse_proxy
from wscli.templates import JsonTemplate, Template, TemplateError, compile_json, compile_template, unquoted_placeholder
from wscli.templates.paths import JsonPath, compile_path_expression
from wscli.values import Duration, Scalar, Secret

__all__ = [
    "Header",
    "HeaderName",
    "JsonBody",
    "PathText",
    "ProxyText",
    "TemplateText",
    "Timeout",
    "Url",
    "UrlText",
    "names_in",
    "parse_header",
    "parse_json",
    "parse_template",
    "parse_url",
    "without_defaults",
]

TOKENS = ("token",)
"""The namespaces of placeholders in a token source."""
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_BREAKS = re.compile(r"[\r\n\0]")
_AFTER_NAME = re.compile(r"(?<=[\w.-])[?:][^{}]*\}")


def _text(value: object) -> str:
    meant = unquoted_placeholder(value)
    if meant is not None:
        raise TemplateError(f"'{meant}' without quotes is a mapping to YAML; quote it")
    if not isinstance(value, str):
        raise ValueError("the value must be text")  # noqa: TRY004 - pydantic collects ValueError, not TypeError
    return value


def parse_template(value: object, namespaces: tuple[str, ...] = TOKENS) -> Template:
    """Compile text with placeholders."""
    return value if isinstance(value, Template) else compile_template(_text(value), namespaces)


def _header_name(value: object) -> str:
    if not _HEADER_NAME.fullmatch(str(value)):
        raise ValueError(f"invalid header name: {value!r} (RFC 9110, section 5.6.2)")
    return str(value)


def parse_header(value: object, namespaces: tuple[str, ...] = TOKENS) -> Template:
    """Compile the value of a header."""
    template = parse_template(value, namespaces)
    if _BREAKS.search(template.source):
        raise ValueError("the header's value contains a line break or NUL")
    return template


@dataclass(frozen=True, slots=True, repr=False)
class Url:
    """An http or https URL with placeholders; ``shown`` is the part that may be printed."""

    template: Template
    shown: str = field(compare=False)

    def __repr__(self) -> str:
        return self.shown


def without_defaults(text: str) -> str:
    """Leave out what a placeholder says after its name: the ``?`` of a default begins no query."""
    return _AFTER_NAME.sub("}", text)


def parse_url(value: object, namespaces: tuple[str, ...] = TOKENS) -> Url:
    """Compile a URL."""
    if isinstance(value, Url):
        return value
    text = _text(value)
    template = compile_template(text, namespaces)
    redacted = text.redacted if isinstance(text, Scalar) else text
    if not _is_http(template.source) or _BREAKS.search(text):
        raise ValueError("the URL must begin with https:// or http:// and name a host")
    seen = urlsplit(without_defaults(redacted))
    host = seen.netloc.rpartition("@")[2]
    return Url(template, f"{seen.scheme}://{host}{seen.path}" if seen.scheme and host else "***")


def parse_json(value: object, namespaces: tuple[str, ...] = TOKENS) -> JsonTemplate:
    """Compile a JSON body."""
    return value if isinstance(value, JsonTemplate) else compile_json(value, namespaces)


_TEXT = WithJsonSchema({"type": "string"})

TemplateText = Annotated[Template, PlainValidator(lambda value: parse_template(value)), _TEXT]
HeaderName = Annotated[str, PlainValidator(_header_name), _TEXT]
Header = Annotated[Template, PlainValidator(lambda value: parse_header(value)), _TEXT]
UrlText = Annotated[
    Url,
    PlainValidator(lambda value: parse_url(value)),
    WithJsonSchema({"type": "string", "pattern": "^https?://", "examples": ["https://api.example.com/ws-token"]}),
]
PathText = Annotated[
    JsonPath,
    PlainValidator(lambda value: value if isinstance(value, JsonPath) else compile_path_expression(_text(value))),
    WithJsonSchema({"type": "string", "pattern": r"^\.", "examples": [".token"]}),
]
JsonBody = Annotated[
    JsonTemplate, PlainValidator(lambda value: parse_json(value)), WithJsonSchema({"description": "any JSON value"})
]
Timeout = Annotated[Duration, Field(gt=0, le=600)]


def _proxy(value: object) -> ProxyChoice:
    if value == "auto":
        return "auto"
    if value == "none":
        return "none"
    if isinstance(value, str):
        settings = ProxySettings(url=Secret(str(value)))
    else:
        settings = value if isinstance(value, ProxySettings) else ProxySettings.model_validate(value)
    try:
        parse_proxy(settings.url.reveal())
    except ValueError:
        schemes = "http://, https://, socks5://, socks5h:// or socks4://"
        raise ValueError(f"the proxy must be 'auto', 'none', or a URL that begins with {schemes}") from None
    return settings


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname if "{" in parts.netloc else host_of(parts)
        return parts.scheme in ("http", "https") and bool(host) and parts.port != 0
    except ValueError:  # an invalid host or port
        return False


ProxyText = Annotated[
    ProxyChoice,
    PlainValidator(_proxy),
    WithJsonSchema(
        {
            "anyOf": [
                {
                    "type": "string",
                    "examples": ["auto", "none", "http://proxy.example.com:3128", "socks5h://127.0.0.1:1080"],
                },
                ProxySettings.model_json_schema(),
            ]
        }
    ),
]


def names_in(holders: Iterable[Any]) -> frozenset[str]:
    """Give the names of the tokens that templates, JSON templates and URLs use; other values are ignored."""
    found: set[str] = set()
    for holder in holders:
        template = holder.template if isinstance(holder, Url) else holder
        if isinstance(template, (Template, JsonTemplate)):
            found.update(name for space, name in template.references if space == "token")
    return frozenset(found)
