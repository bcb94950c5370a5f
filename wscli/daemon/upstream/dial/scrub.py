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
from wscli.templates.filters import as_text
from wscli.transport.connection import DialTarget, DialTimeline, UpgradeExchange

__all__ = ["scrubbed", "scrubbed_answer", "scrubbed_timeline", "secrets_of"]

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


def secrets_of(
    target: DialTarget, tokens: Iterable[str], environment: Collection[str] = (), variables: Iterable[object] = ()
) -> tuple[str, ...]:
    """Give the secrets of a dial: tokens, header values, query values, the URL's userinfo.

    ``environment`` has values of ``${VAR}``; those that are part of the URL or of a subprotocol are secrets too, and
    so are ``variables`` that a server gave, but for the host of one that is a URL. The longest secret is the first.
    """
    texts = [*tokens, *in_url(target.url)]
    for text in map(as_text, variables):
        parts = urlsplit(text) if "://" in text else None
        texts += [text] if parts is None else [text, parts.path, *filter(_may_be_secret, parts.path.split("/"))]
    for name, value in target.headers:
        if name.lower() != "host" or value != urlsplit(target.url).hostname:  # the URL shows its host
            texts += in_header(value)
    public = "\n".join((target.url, *target.subprotocols))
    return tuple(forms_of([*texts, *(one for one in environment if one in public)]))


def _may_be_secret(segment: str) -> bool:
    return len(segment) >= _SHORTEST_TICKET


def scrubbed(failure: Failure, secrets: Sequence[str]) -> Failure:
    """Give the failure without secrets, the message that was its reason being part of its text."""
    text, answer = cleaned(failure.text, secrets), scrubbed_answer(failure.answer, secrets)
    text = f"{text}: {answer}" if answer else text
    return replace(failure, text=text, answer="", close_reason=cleaned(failure.close_reason, secrets))


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
