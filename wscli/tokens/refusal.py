"""Why a token endpoint refused: the error of its answer (RFC 6749, section 5.2; RFC 9457), without secrets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl

from wscli.net.http import HttpAnswer, HttpRequest, RequestFailed
from wscli.net.scrub import cleaned, forms_of, in_header, in_url

__all__ = ["explain_refusal"]

_KEYS = ("error", "error_description", "message", "detail", "title")
_MAX_SHOWN = 200
_FOR_GOOD = frozenset(
    {
        "invalid_client",
        "invalid_grant",
        "invalid_request",
        "invalid_scope",
        "invalid_target",
        "unauthorized_client",
        "unsupported_grant_type",
    }
)
"""Error codes of RFC 6749, section 5.2, and RFC 8707: the same request is refused again."""


def explain_refusal(
    error: RequestFailed, answer: HttpAnswer, request: HttpRequest, tokens: Iterable[str]
) -> str | None:
    """Add the endpoint's words to the failure: ``: invalid_grant: the refresh token has expired``; give its error code.

    An error code that a repeated request would get again makes it a refusal of the credentials. ``tokens`` and the
    values of the request are secrets.
    """
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    found = list(dict.fromkeys(_texts(body)))[:2]
    secrets = forms_of((*tokens, *_secrets_of(request)))
    error.text += "".join(f": {cleaned(' '.join(text.split())[:_MAX_SHOWN], secrets)}" for text in found)
    code = body.get("error") if isinstance(body, dict) else None
    if not isinstance(code, str):
        return None
    error.refused = error.refused or (code in _FOR_GOOD and 400 <= answer.status <= 499)
    return code


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
