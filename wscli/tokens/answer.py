"""Finds the token and its expiry in the answer of a source."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from datetime import datetime
from typing import Annotated, Any, NoReturn

from pydantic import Field, model_validator

from wscli.templates.paths import ABSENT
from wscli.tokens.errors import SourceFailed
from wscli.tokens.field_types import PathText
from wscli.values import Secret, StrictModel

__all__ = ["OAUTH_READ", "ReadSettings", "check_token", "jwt_expiry", "parse_answer", "read_answer"]

_MAX_TOKEN = 64 << 10
_MAX_LIFE = 100 * 365 * 86400.0
"""Seconds; a longer life is milliseconds taken for seconds, or a date taken for a duration."""
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-")
_TAG = re.compile(r"<(?:!doctype|!--|\?xml|/?[a-z][a-z0-9]*)[\s/>]", re.IGNORECASE)
_KINDS = {dict: "an object", list: "an array", str: "text", bool: "a boolean", type(None): "null"}


class ReadSettings(StrictModel):
    """Where a JSON answer holds the token and its expiry."""

    token: Annotated[PathText, Field(description="the path of the token, such as .token")]
    expires_in: Annotated[
        PathText | None, Field(description="the path of the token's life in seconds, a number or text of one")
    ] = None
    expires_at: Annotated[
        PathText | None, Field(description="the path of the token's end, in seconds since 1970 or as RFC 3339")
    ] = None

    @model_validator(mode="after")
    def _one_expiry(self) -> ReadSettings:
        if self.expires_in is not None and self.expires_at is not None:
            raise ValueError("expires_in and expires_at exclude each other; keep one")
        return self


OAUTH_READ = ReadSettings.model_validate({"token": ".access_token", "expires_in": ".expires_in"})
"""RFC 6749, section 5.1."""


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(text)  # NaN and Infinity are not JSON (RFC 8259, section 6)


def parse_answer(text: str) -> Any:
    """Parse JSON.

    Raises:
        SourceFailed: the text is not JSON.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise SourceFailed(f"the answer is {'an HTML page, ' if _TAG.search(text) else ''}not JSON") from None


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "a number")


def check_token(text: str) -> Secret:
    """Refuse a token that a header cannot carry: empty, unprintable, or too long."""
    if not text:
        raise SourceFailed("the token is empty")
    if len(text) > _MAX_TOKEN:
        raise SourceFailed(f"the token is longer than {_MAX_TOKEN >> 10} KiB")
    if not text.isprintable():
        what = "a line break" if "\n" in text or "\r" in text else "an unprintable character"
        raise SourceFailed(f"the token contains {what}")
    return Secret(text)


def _number(value: Any, what: str) -> float:
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            raise SourceFailed(f"{what} is text, not a number") from None
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SourceFailed(f"{what} is {_kind(value)}, not a number")
    else:
        number = math.inf if abs(value) > 1e300 else float(value)
    if not math.isfinite(number):
        raise SourceFailed(f"{what} is not a finite number")
    return number


def _instant(value: Any, what: str) -> float:
    """Read seconds since 1970, from a number or RFC 3339."""
    if isinstance(value, str) and _DATE.match(value):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise SourceFailed(f"{what} is not an RFC 3339 time") from None
        if moment.tzinfo is None:
            raise SourceFailed(f"{what} has no time zone")
        return moment.timestamp()
    return _number(value, what)


def _life(seconds: float, what: str) -> float:
    if seconds <= 0:
        raise SourceFailed(f"the token has already expired according to {what}")
    if seconds > _MAX_LIFE:
        raise SourceFailed(f"the token lives longer than a century according to {what}; is it in milliseconds?")
    return seconds


def _stated_life(value: Any, read: ReadSettings, wall: float, *, must_say: bool) -> float | None:
    """Give the life that the answer states, in seconds; None where it states none."""
    path = read.expires_in or read.expires_at
    if path is None:
        return None
    found, what = path.get(value), f"'{path.source}' of the answer"
    if found is ABSENT and must_say:
        raise SourceFailed(f"the answer has no '{path.source}'")
    if found is ABSENT or found is None:
        return None
    return _life(_number(found, what) if read.expires_in else _instant(found, what) - wall, what)


def jwt_expiry(token: str) -> float | None:
    """Give ``exp`` of a signed JWT (RFC 7519, section 4.1.4), in seconds since 1970; None for any other token.

    The signature is not checked: its receiver does that.
    """
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        header, claims = (json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in parts[:2])
    except (ValueError, RecursionError, binascii.Error):
        return None
    if not isinstance(header, dict) or "alg" not in header or not isinstance(claims, dict):
        return None
    expiry = claims.get("exp")
    if isinstance(expiry, bool) or not isinstance(expiry, (int, float)) or not abs(expiry) < 1e15:
        return None
    return float(expiry)


def read_answer(
    text: str, read: ReadSettings | None, life: float | None, wall: float, *, must_say: bool = True
) -> tuple[Secret, float | None]:
    """Give the token, and its life in seconds where that is known.

    The life is the answer's, else ``life`` (of the file), else from a JWT's ``exp``. With ``must_say``, an answer
    without the path that ``read`` names is an error; null there means unknown.

    Raises:
        SourceFailed: the token is missing, invalid or expired.
    """
    if read is None:
        if _TAG.search(text):  # a login page or a captive portal, with status 200
            raise SourceFailed("the answer is an HTML page, not a token")
        token = check_token(text.strip())
    else:
        value = parse_answer(text)
        found = read.token.get(value)
        if found is ABSENT:
            raise SourceFailed(f"the answer has no '{read.token.source}'")
        if not isinstance(found, str):
            raise SourceFailed(f"'{read.token.source}' of the answer is {_kind(found)}, not text")
        token = check_token(found.strip())
        said = _stated_life(value, read, wall, must_say=must_say)
        life = life if said is None else said
    if life is None:
        expiry = jwt_expiry(token.reveal())
        life = None if expiry is None else _life(expiry - wall, "its own 'exp'")
    return token, life
