"""Removes secrets from remote text: ours, which it may quote, and the server's own that are easy to recognize."""

from __future__ import annotations

import base64
import contextlib
import html
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote, unquote, unquote_plus, urlsplit

from wscli.net.origin import without_query

__all__ = ["SHOWN", "cleaned", "forms_of", "in_header", "in_url", "without"]

_SHORTEST = 4
"""Characters of the shortest secret that is removed; a shorter text occurs in normal sentences."""
SHOWN = "***"

_SCHEMES = ("basic", "bearer", "token", "digest", "apikey")
"""Words of a header that are no secret."""
_JWT = re.compile(r"eyJ[\w-]{4,}\.[\w-]+(?:\.[\w-]*)?")
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s\"'<>]+", re.IGNORECASE)


def in_url(url: str) -> Iterator[str]:
    """Give the secrets of a URL: its userinfo, also as a header has it, and the values of its query."""
    parts = urlsplit(url)
    userinfo = parts.netloc.rpartition("@")[0]
    if userinfo:
        yield from (userinfo, *userinfo.split(":"), base64.b64encode(unquote(userinfo).encode()).decode())
    yield from (pair.partition("=")[2] for pair in parts.query.split("&"))


def in_header(value: str) -> Iterator[str]:
    """Give the secrets of a header's value: all of it, its words, and the user and password of ``Basic``."""
    yield from (value, *(word for word in value.split() if word.lower() not in _SCHEMES))
    scheme, _, pair = value.partition(" ")
    if scheme.lower() == "basic":
        with contextlib.suppress(ValueError):
            user, _, password = base64.b64decode(pair.strip(), validate=True).decode().partition(":")
            yield from (user, password)


def forms_of(secrets: Iterable[str]) -> list[str]:
    """Give secrets as they may be quoted: in a URL, in JSON, in HTML; the longest first, those too short left out."""
    texts = {form for text in secrets for form in (text, unquote_plus(text), quote(text, safe=""))}
    texts |= {form for text in texts for form in (json.dumps(text)[1:-1], html.escape(text), text.replace("/", r"\/"))}
    return sorted((text for text in texts if len(text) >= _SHORTEST), key=len, reverse=True)


def without(text: str, secrets: Sequence[str]) -> str:
    """Put ``***`` in place of each secret; ``secrets`` are as ``forms_of`` gives them."""
    for secret in secrets:
        text = text.replace(secret, SHOWN)
    return text


def cleaned(text: str, secrets: Sequence[str]) -> str:
    """Do as ``without``, and hide a secret that the text was cut in, JWTs, and the userinfo and query of URLs."""
    text = without(text, secrets)
    for secret in secrets:
        at = text.find(secret[:_SHORTEST])
        while at >= 0 and not secret.startswith(text[at:]):
            at = text.find(secret[:_SHORTEST], at + 1)
        if at >= 0:
            text = text[:at] + SHOWN
    return _URL.sub(lambda found: without_query(found[0]), _JWT.sub(SHOWN, text))
