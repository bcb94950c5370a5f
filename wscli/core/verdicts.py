"""Declared and built-in verdicts on close codes, HTTP statuses and failures to dial.

The first level that names the code decides (channel, endpoint, file, built-in); within a level, its narrowest key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator, WithJsonSchema

from wscli.core.actions import Action, Verdict
from wscli.core.events import Failure, FailureKind
from wscli.values import parse_duration, shown

__all__ = ["CodeRange", "VerdictTable", "Verdicts", "decide", "parse_verdicts"]


class CodeRange(NamedTuple):
    """Codes from ``low`` to ``high``, both included; HTTP statuses end below 600, close codes begin at 1000."""

    low: int
    high: int


VerdictTable = Mapping[CodeRange, Verdict]

_CODE_KEY = re.compile(r"(?P<code>[0-9]{3,4})|(?P<low>[0-9]{3,4})-(?P<high>[0-9]{3,4})|(?P<hundred>[1-5])xx")


def _parse_key(key: object) -> CodeRange:
    found = _CODE_KEY.fullmatch(str(key))
    if not found:
        raise ValueError(f"{shown(key)} is neither a code (4401), a range (4000-4099) nor a class of statuses (5xx)")
    if found["code"]:
        low = high = int(found["code"])
    elif found["hundred"]:
        low = int(found["hundred"]) * 100
        high = low + 99
    else:
        low, high = int(found["low"]), int(found["high"])
    if low > high:
        raise ValueError(f"{shown(key)} ends before it begins")
    if not (100 <= low and high <= 599) and not (1000 <= low and high <= 4999):
        raise ValueError(f"{shown(key)} is neither among HTTP statuses (100-599) nor among close codes (1000-4999)")
    return CodeRange(low, high)


def _parse_verdict(value: object) -> Verdict:
    if isinstance(value, Verdict):
        return value
    if isinstance(value, Mapping):
        if [str(key) for key in value] != ["retry"]:
            raise ValueError("a verdict with a value is {retry: DURATION}")
        return Verdict(Action.RETRY, parse_duration(value["retry"]))
    if str(value) not in tuple(Action):
        raise ValueError(
            f"invalid verdict: {shown(value)}; it must be one of {', '.join(Action)} or {{retry: DURATION}}"
        )
    return Verdict(Action(str(value)))


def parse_verdicts(value: object) -> VerdictTable:
    """Read ``{4401: reauth, 4000-4099: stop, 529: {retry: 60s}, 5xx: retry}``."""
    if not isinstance(value, Mapping):
        raise ValueError(f"verdicts must be a mapping of codes to verdicts, not {shown(value)}")  # noqa: TRY004 - for pydantic
    table: dict[CodeRange, Verdict] = {}
    for key, item in value.items():
        codes = key if isinstance(key, CodeRange) else _parse_key(key)
        if codes in table:
            raise ValueError(f"{shown(key)} names the same codes as a key before it")
        table[codes] = _parse_verdict(item)
    return table


Verdicts = Annotated[
    VerdictTable,
    BeforeValidator(parse_verdicts),
    WithJsonSchema(
        {
            "type": "object",
            "description": "what to do about a close code, a range of them, or an HTTP status",
            "patternProperties": {
                r"^(\d{3,4}|\d{3,4}-\d{3,4}|[1-5]xx)$": {
                    "oneOf": [
                        {"enum": list(Action)},
                        {
                            "type": "object",
                            "properties": {
                                "retry": {"type": "string", "description": "retry, no sooner than this, such as 60s"}
                            },
                            "required": ["retry"],
                            "additionalProperties": False,
                        },
                    ]
                }
            },
            "additionalProperties": False,
        }
    ),
]

_STOP = Verdict(Action.STOP)
_RETRY = Verdict(Action.RETRY)
_BY_THE_SERVER = (FailureKind.CLOSE, FailureKind.STATUS)
"""Kinds whose code the server itself sent; a proxy's 403 says nothing about the credentials for the server."""

_NEEDS_CREDENTIALS = (401, 403, 4401)
_FINAL = (400, 405, 410, 426, 1002, 1003, 1007, 1010)
"""HTTP statuses, and close codes (RFC 6455, section 7.4.1), that another dial would only repeat."""

POLICY_VIOLATION = 1008
POLICY_VIOLATIONS_IN_A_ROW = 3


def _built_in(failure: Failure, *, token_used: bool, policy_violations: int) -> Verdict:
    if failure.code in _NEEDS_CREDENTIALS:
        return Verdict(Action.REAUTH) if token_used else _STOP
    if failure.kind is FailureKind.STATUS and failure.code is not None and 300 <= failure.code <= 399:
        return _STOP  # a redirect that may be followed was followed before
    if failure.kind is FailureKind.CLOSE and failure.code == POLICY_VIOLATION:
        return _STOP if policy_violations >= POLICY_VIOLATIONS_IN_A_ROW else _RETRY
    return _STOP if failure.code in _FINAL else _RETRY


def decide(
    failure: Failure, levels: Sequence[VerdictTable], *, token_used: bool = False, policy_violations: int = 0
) -> Verdict:
    """Give the verdict on a failure.

    Args:
        failure: how the attempt or the connection ended.
        levels: the declared tables, the channel's first.
        token_used: whether the attempt used a token; otherwise the built-in ``reauth`` is a ``stop``.
        policy_violations: number of closes with 1008 in a row without health, this one included.

    """
    if failure.kind not in _BY_THE_SERVER:
        return _STOP if failure.kind is FailureKind.CERTIFICATE else _RETRY
    if (code := failure.code) is not None:
        for table in levels:
            if fitting := [key for key in table if key.low <= code <= key.high]:
                return table[min(fitting, key=lambda key: key.high - key.low)]
    return _built_in(failure, token_used=token_used, policy_violations=policy_violations)
