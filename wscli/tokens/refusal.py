"""Why a token endpoint refused: the error of its answer (RFC 6749, section 5.2; RFC 9457), without secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl

from wscli.net.http import HttpRequest
from wscli.net.scrub import cleaned, forms_of, in_header, in_url

__all__ = ["refusal_of"]

_KEYS = ("error", "error_description", "message", "detail", "title")
_MAX_SHOWN = 200


def refusal_of(body: bytes, request: HttpRequest) -> str:
    """Give ``: invalid_grant: the refresh token has expired``; empty where the answer names no error."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    found = list(dict.fromkeys(_texts(answer)))[:2]
    secrets = forms_of(_secrets_of(request))
    return "".join(f": {cleaned(' '.join(text.split())[:_MAX_SHOWN], secrets)}" for text in found)


def _texts(answer: Any) -> Iterator[str]:
    if not isinstance(answer, dict):
        return
    for key in _KEYS:
        value = answer.get(key)
        if isinstance(value, dict):  # {"error": {"message": ...}}
            yield from _texts(value)
        elif isinstance(value, str) and value.strip():
            yield value


def _secrets_of(request: HttpRequest) -> Iterator[str]:
    yield from in_url(request.url)
    for value in request.headers.values():
        yield from in_header(value)
    body = (request.body or b"").decode(errors="replace")
    try:
        yield from _leaves(json.loads(body))
    except (ValueError, RecursionError):
        yield from (value for name, value in parse_qsl(body) if name not in ("grant_type", "scope"))


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    elif value is not None:
        yield str(value)
