"""Removes our secrets from remote text, which may quote what it was sent.

A close reason such as ``invalid token: eyJ...`` would otherwise reach ``status``, ``stats`` and the log.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from urllib.parse import quote, unquote_plus, urlsplit

from wscli.core.events import Failure
from wscli.transport.connection import DialTarget, DialTimeline

__all__ = ["scrub_steps", "scrubbed", "secrets_of"]

SHORTEST = 4
"""Characters of the shortest secret that is removed; a shorter text occurs in normal sentences."""
SHOWN = "***"


def secrets_of(target: DialTarget, tokens: Iterable[str]) -> frozenset[str]:
    """Give the secrets of a dial: tokens, header values, query values, and the URL's userinfo."""
    parts = urlsplit(target.url)
    pairs = [pair.partition("=")[2] for pair in parts.query.split("&")]
    userinfo = parts.netloc.rpartition("@")[0]
    texts = [*tokens, *pairs, userinfo, *userinfo.split(":")]
    for name, value in target.headers:
        if name.lower() != "host" or value != parts.hostname:  # the URL shows its host
            texts += [value, *value.split()]
    texts += [form for text in texts for form in (unquote_plus(text), quote(text, safe=""))]
    return frozenset(text for text in texts if len(text) >= SHORTEST)


def scrubbed(failure: Failure, secrets: Collection[str]) -> Failure:
    """Give the failure without secrets."""
    return replace(failure, text=_without(failure.text, secrets), close_reason=_without(failure.close_reason, secrets))


def scrub_steps(timeline: DialTimeline, secrets: Collection[str]) -> None:
    """Remove secrets from the details of the steps of a dial."""
    timeline.steps = [replace(step, detail=_without(step.detail, secrets)) for step in timeline.steps]


def _without(text: str, secrets: Collection[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, SHOWN)
    for secret in secrets:  # a reason or status line may be cut inside a secret
        for length in range(len(secret) - 1, SHORTEST - 1, -1):
            if text.endswith(secret[:length]):
                text = text[:-length] + SHOWN
                break
    return text
