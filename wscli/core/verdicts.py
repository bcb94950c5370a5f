"""Declared and built-in verdicts on close codes, HTTP statuses and kinds of failure.

The first level that names the failure decides (channel, endpoint, file, built-in); within a level its narrowest key:
a code, then a kind, then the narrowest range.

A built-in ``stop`` is rare. It is for failures that another dial would only repeat; since many of them mend themselves
(a server during its update, a captive portal), it needs several such ends in a row.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

from pydantic import BeforeValidator, WithJsonSchema

from wscli.core.failures import MOMENTS, Action, Failure, FailureKind, Verdict
from wscli.values import parse_duration, shown

__all__ = [
    "BY_THE_SERVER", "CodeRange", "SessionMoment", "VerdictKey", "VerdictTable", "Verdicts", "decide", "parse_verdicts",
    "stops_in_a_row",
]  # fmt: skip


class CodeRange(NamedTuple):
    """Codes from ``low`` to ``high``, both included; HTTP statuses end below 600, close codes begin at 1000."""

    low: int
    high: int


class SessionMoment(NamedTuple):
    """A part of the session whose steps failed."""

    name: str


Kind = FailureKind
KINDS = (
    Kind.DNS, Kind.TCP, Kind.TLS, Kind.CERTIFICATE, Kind.PROXY, Kind.TIMEOUT, Kind.KEEPALIVE, Kind.TOKEN,
    Kind.SILENCE, Kind.HOOK, Kind.VIOLATION, Kind.TOO_BIG,
)  # fmt: skip
"""The kinds that are keys; ``status`` and ``close`` are named by their codes."""

_MOMENTS = {f"{Kind.SESSION}:{name}": SessionMoment(name) for name in MOMENTS}

VerdictKey = CodeRange | FailureKind | SessionMoment
VerdictTable = Mapping[VerdictKey, Verdict]

_CODE_KEY = re.compile(r"(?P<code>[0-9]{3,4})|(?P<low>[0-9]{3,4})-(?P<high>[0-9]{3,4})|(?P<hundred>[1-5])xx")


def _parse_key(key: object) -> VerdictKey:
    if str(key) in KINDS:
        return FailureKind(str(key))
    if str(key) in _MOMENTS:
        return _MOMENTS[str(key)]
    found = _CODE_KEY.fullmatch(str(key))
    if not found:
        what = "a code (4401), a range (4000-4099), a class of statuses (5xx) nor a kind"
        raise ValueError(f"{shown(key)} is neither {what} ({', '.join((*KINDS, *_MOMENTS))})")
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
    """Read ``{4401: reauth, 4000-4099: stop, 529: {retry: 60s}, 5xx: retry, certificate: stop}``."""
    if not isinstance(value, Mapping):
        raise ValueError(f"verdicts must be a mapping of codes and kinds to verdicts, not {shown(value)}")  # noqa: TRY004 - for pydantic
    table: dict[VerdictKey, Verdict] = {}
    for key, item in value.items():
        parsed = key if isinstance(key, CodeRange) else _parse_key(key)
        if parsed in table:
            raise ValueError(f"{shown(key)} names the same codes as a key before it")
        table[parsed] = _parse_verdict(item)
    return table


Verdicts = Annotated[
    VerdictTable,
    BeforeValidator(parse_verdicts),
    WithJsonSchema(
        {
            "type": "object",
            "description": "what to do about a close code, a range of them, an HTTP status, or a kind of failure",
            "patternProperties": {
                rf"^(\d{{3,4}}|\d{{3,4}}-\d{{3,4}}|[1-5]xx|{'|'.join((*KINDS, *_MOMENTS))})$": {
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

BY_THE_SERVER = (Kind.CLOSE, Kind.STATUS)
"""Kinds whose code the server itself sent; a proxy's 403 says nothing about the credentials for the server."""
_WITH_CODE = (*BY_THE_SERVER, Kind.VIOLATION, Kind.TOO_BIG)
"""Kinds whose code may be a key: those that the server or we closed with."""

_ENOUGH = 3
"""Ends in a row that make a suspicion: of a ``stop``, or of a stale token."""
_NEEDS_CREDENTIALS = (401, 403, 4401)
_UNAUTHORIZED = (*_NEEDS_CREDENTIALS, 3000, 3003)
"""Statuses, and close codes of the same meaning; 3000 and 3003 are registered with IANA."""
_POLICY_VIOLATION = 1008
"""Also what many servers close with for an expired token."""
_REPEATED = (400, 405, 410, 426, 1002, 1003, 1007, _POLICY_VIOLATION, 1010)
"""HTTP statuses, and close codes (RFC 6455, section 7.4.1), that another dial is likely to repeat."""


def stops_in_a_row(failure: Failure) -> bool:
    """Whether several ends such as this one, in a row without health, are a built-in ``stop``."""
    code = failure.code or 0
    if failure.kind not in BY_THE_SERVER:
        return failure.refused or failure.kind in (Kind.CERTIFICATE, Kind.VIOLATION)
    redirect = failure.kind is Kind.STATUS and 300 <= code <= 399  # one that may be followed was followed before
    return redirect or code in _NEEDS_CREDENTIALS or code in _REPEATED


def _declared(failure: Failure, table: VerdictTable) -> Verdict | None:
    code = failure.code if failure.kind in _WITH_CODE else None
    ranges = [key for key in table if isinstance(key, CodeRange) and code and key.low <= code <= key.high]
    narrowest = min(ranges, key=lambda key: key.high - key.low, default=None)
    if narrowest is not None and narrowest.low == narrowest.high:
        return table[narrowest]
    kind = SessionMoment(failure.moment) if failure.kind is Kind.SESSION else failure.kind
    if kind in table:
        return table[kind]
    return None if narrowest is None else table[narrowest]


def decide(
    failure: Failure,
    levels: Sequence[VerdictTable],
    *,
    token_used: bool = False,
    token_ends: int = 0,
    reauthed: bool = False,
    refusals: int = 0,
) -> Verdict:
    """Give the verdict on a failure.

    Args:
        failure: how the attempt or the connection ended.
        levels: the declared tables, the channel's first.
        token_used: whether the attempt used a token; ``reauth`` is built in only where one was.
        token_ends: number of ends by the server since the last health, this one included, with the same token.
        reauthed: whether tokens were dropped since the last health.
        refusals: number of ends in a row for which ``stops_in_a_row``, without health, this one included.

    """
    for table in levels:
        if (declared := _declared(failure, table)) is not None:
            return declared
    if failure.kind in BY_THE_SERVER and token_used:
        code, suspected = failure.code, token_ends >= _ENOUGH or failure.code == _POLICY_VIOLATION
        if code in _UNAUTHORIZED or (suspected and not reauthed):
            return Verdict(Action.REAUTH)
    stops = refusals >= _ENOUGH and stops_in_a_row(failure)
    return Verdict(Action.STOP, mends=True) if stops else Verdict(Action.RETRY)
