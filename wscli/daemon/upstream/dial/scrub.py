"""Removes the secrets of a dial from remote text, which may quote what it was sent.

A close reason such as ``invalid token: eyJ...`` would otherwise reach ``status``, ``stats`` and the log.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from wscli.core.failures import Failure
from wscli.net.origin import without_query
from wscli.net.scrub import SHOWN, cleaned, forms_of, in_header, in_url, without
from wscli.transport.connection import DialTarget, DialTimeline, UpgradeExchange

__all__ = ["scrubbed", "scrubbed_answer", "scrubbed_timeline", "secrets_of", "secrets_of_variables"]

MAX_HEADERS = 50
MAX_VALUE = 200
"""Headers of an answer that are kept, and the characters of the value of each."""

_HIDDEN_NAMES = "cookie|auth(?!enticate)|token|secret|key|password|session|credential|signature|csrf|xsrf|jwt"
_SECRET_HEADER = re.compile(_HIDDEN_NAMES, re.IGNORECASE)
_SECRET_MEMBER = re.compile(
    rf'("[^"\\]*(?:{_HIDDEN_NAMES}|ticket|nonce)[^"\\]*"\s*:\s*)"(?:[^"\\]|\\.)*(?:"|\\?\Z)', re.IGNORECASE
)
"""A member of a JSON object whose text is a secret by its key; the text may be cut."""
_SHORTEST_TICKET = 12
"""Characters of a segment of a path that may be a ticket."""
_OF_THE_UPGRADE = "sec-websocket-"
_REFERENCES = ("location", "content-location")


def secrets_of(target: DialTarget, tokens: Iterable[str], environment: Collection[str] = ()) -> tuple[str, ...]:
    """Give the secrets of a dial: tokens, header values, query values, the URL's userinfo.

    ``environment`` has values of ``${VAR}``; those that are part of the URL or of a subprotocol are secrets too. The
    longest secret is the first.
    """
    texts = [*tokens, *in_url(target.url)]
    for name, value in target.headers:
        if name.lower() != "host" or value != urlsplit(target.url).hostname:  # the URL shows its host
            texts += in_header(value)
    public = "\n".join((target.url, *target.subprotocols))
    return tuple(forms_of([*texts, *(one for one in environment if one in public)]))


def secrets_of_variables(variables: Iterable[object]) -> tuple[str, ...]:
    """Give the secrets among the variables of a dial: texts that a server gave, but for the host of a URL."""
    texts: list[str] = []
    for text in variables:
        if isinstance(text, str):
            path = urlsplit(text).path if "://" in text else ""
            texts += [text, path, *in_url(text), *filter(_may_be_secret, path.split("/"))]
    return tuple(forms_of(texts))


def _may_be_secret(segment: str) -> bool:
    return len(segment) >= _SHORTEST_TICKET


def scrubbed(failure: Failure, secrets: Sequence[str]) -> Failure:
    """Give the failure without secrets: ours, and the values of keys that name one in a message that it quotes."""
    text = scrubbed_answer(failure.text, secrets)
    return replace(failure, text=text, close_reason=cleaned(failure.close_reason, secrets))


def scrubbed_answer(text: str, secrets: Sequence[str]) -> str:
    """Give an answer to a step of the session without secrets: ours, and the values of keys that name one."""
    return cleaned(_SECRET_MEMBER.sub(rf'\1"{SHOWN}"', text), secrets)


def scrubbed_timeline(timeline: DialTimeline, secrets: Sequence[str]) -> DialTimeline:
    """Give the steps of a dial, and what was asked and answered, without secrets."""
    return replace(
        timeline,
        steps=[replace(step, detail=cleaned(step.detail, secrets)) for step in timeline.steps],
        exchanges=[_scrubbed_exchange(one, secrets) for one in timeline.exchanges],
    )


def _scrubbed_exchange(exchange: UpgradeExchange, secrets: Sequence[str]) -> UpgradeExchange:
    return replace(
        exchange,
        url=without(exchange.url, secrets),
        subprotocols=tuple(without(name, secrets) for name in exchange.subprotocols),
        phrase=cleaned(exchange.phrase, secrets),
        answer=tuple(
            (cleaned(name, secrets), _shown_value(name, value, secrets))
            for name, value in exchange.answer[:MAX_HEADERS]
        ),
        body=cleaned(exchange.body, secrets),
    )


def _shown_value(name: str, value: str, secrets: Sequence[str]) -> str:
    if _SECRET_HEADER.search(name) and not name.startswith(_OF_THE_UPGRADE):
        return SHOWN
    return cleaned(without_query(value) if name in _REFERENCES else value, secrets)[:MAX_VALUE]
