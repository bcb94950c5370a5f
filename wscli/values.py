"""The values that a configuration is made of: Duration, Size, Rate, Secret, and the strict base model.

Scalars arrive as text (a YAML file is read without guessing types) and are typed here, by the schema. Every parser
raises ``ValueError`` with a lower-case sentence that quotes the value.
"""

from __future__ import annotations

import hmac
import json
import math
import re
from typing import Annotated, Any, NamedTuple, NoReturn

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

__all__ = [
    "Count", "Duration", "Flag", "Json", "Percent", "Rate", "RateOf", "Scalar", "Secret", "Size", "StrictModel",
    "format_duration", "format_size", "is_extension", "parse_duration", "parse_json_scalar", "parse_rate",
    "parse_size",
]  # fmt: skip

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST = 100 * 366 * 86400.0
_LONGEST_QUOTE = 100
_PIECE = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_DURATION = re.compile(f"(?:{_PIECE.pattern})+")
_SIZES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_SIZE = re.compile(r"([0-9]{1,15})(B|KiB|MiB|GiB|TiB)")
_RATE = re.compile(rf"([0-9]{{1,9}})/(ms|s|m|h|d|{_DURATION.pattern})")
_COUNT = re.compile(r"[0-9]{1,18}")
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]+)?)%")
_JSON_SCALAR = re.compile(r"true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
"""RFC 8259, sections 3 and 6, without strings."""


class Scalar(str):
    """The text of a YAML scalar, whether it was plain, and how to print it.

    ``plain`` is false for a quoted scalar. ``redacted`` is the text with ``***`` for each value of ``${VAR}``.
    """

    __slots__ = ("plain", "redacted")

    plain: bool
    redacted: str

    def __new__(cls, text: str, *, plain: bool = True, redacted: str | None = None) -> Scalar:
        """Make one; without ``redacted`` the text holds no value of the environment."""
        scalar = super().__new__(cls, text)
        scalar.plain = plain
        scalar.redacted = text if redacted is None else redacted
        return scalar


def shown(value: object) -> str:
    """Quote the beginning of a value for an error message, without values of the environment."""
    if isinstance(value, (dict, list, tuple)):
        return "a list" if isinstance(value, (list, tuple)) else "a mapping"  # whose leaves may be secret
    quoted = repr(value.redacted if isinstance(value, Scalar) else value)
    return quoted if len(quoted) <= _LONGEST_QUOTE else f"{quoted[:_LONGEST_QUOTE]}..."


def is_extension(key: object) -> bool:
    """Whether a key is one that every mapping of known keys may have, and that means nothing."""
    return isinstance(key, str) and key.startswith("x-")


class StrictModel(BaseModel):
    """The base of every configuration model: unknown keys are errors but for ``x-...``, and instances never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, arbitrary_types_allowed=True)

    @model_validator(mode="before")
    @classmethod
    def _without_extensions(cls, value: Any) -> Any:
        """Ignore keys of the file's own, such as ``x-login``."""
        if isinstance(value, dict) and any(map(is_extension, value)):
            return {key: item for key, item in value.items() if not is_extension(key)}
        return value


def parse_duration(text: object) -> float:
    """Read ``500ms``, ``10s``, ``1m30s`` into seconds; the unit is required."""
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        return float(text)  # a default written in Python
    if not _DURATION.fullmatch(str(text)):
        raise ValueError(f"{shown(text)} is not a duration; write a number with its unit, such as 500ms, 10s or 1m30s")
    seconds = _in_seconds(str(text))
    if seconds > _LONGEST:
        raise ValueError(f"{shown(text)} is longer than 100 years")
    return seconds


def _in_seconds(pieces: str) -> float:
    return sum(float(number) * _UNITS[unit] for number, unit in _PIECE.findall(pieces))


def format_duration(seconds: float) -> str:
    """Write seconds as a duration that a person reads at once: ``0.25`` is ``250ms``, ``90`` is ``1m30s``."""
    if round(seconds * 1000) < 1000:
        return f"{round(seconds * 1000)}ms"
    if float(tenths := f"{seconds:.1f}") < 10:
        return f"{tenths.removesuffix('.0')}s"
    whole, parts = round(seconds), []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts[:2])


def parse_size(text: object) -> int:
    """Read ``64KiB`` into bytes; the unit is required."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    found = _SIZE.fullmatch(str(text))
    if not found:
        raise ValueError(f"{shown(text)} is not a size; write a whole number with B, KiB, MiB or GiB, such as 64KiB")
    return int(found[1]) * _SIZES[found[2]]


class Rate(NamedTuple):
    """A number of events in a time, in seconds."""

    events: int
    seconds: float

    @property
    def interval(self) -> float:
        """Seconds between two events that keep the rate."""
        return self.seconds / self.events

    def __str__(self) -> str:
        return f"{self.events}/{'s' if self.seconds == 1 else format_duration(self.seconds)}"


def format_size(count: int) -> str:
    """Write bytes as a file would: ``64KiB``, ``1000B``."""
    size, units = count, ["B", "KiB", "MiB", "GiB"]
    while size % 1024 == 0 and size and len(units) > 1:
        size, units = size // 1024, units[1:]
    return f"{size}{units[0]}"


def parse_rate(text: object) -> Rate:
    """Read ``5/s`` or ``300/5m``."""
    if isinstance(text, Rate):
        return text
    found = _RATE.fullmatch(str(text))
    seconds = (_UNITS.get(found[2]) or _in_seconds(found[2])) if found else 0.0
    if not found or int(found[1]) == 0 or not 0 < seconds <= _LONGEST:
        raise ValueError(f"{shown(text)} is not a rate; write a count and a time, such as 5/s or 300/5m")
    return Rate(int(found[1]), seconds)


def _parse_count(text: object) -> int:
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    if not _COUNT.fullmatch(str(text)):
        raise ValueError(f"{shown(text)} is not a whole number")
    return int(str(text))


def _parse_flag(text: object) -> bool:
    if isinstance(text, bool):
        return text
    if str(text) not in ("true", "false"):
        raise ValueError(f"{shown(text)} is neither true nor false")
    return str(text) == "true"


def _parse_percent(text: object) -> float:
    if isinstance(text, float):
        return text
    found = _PERCENT.fullmatch(str(text))
    if not found or not 0 < float(found[1]) <= 100:
        raise ValueError(f"{shown(text)} is not a percentage above 0% and up to 100%")
    return float(found[1]) / 100


def parse_json_scalar(text: Scalar) -> Any:
    """Read a scalar of a message as JSON would: a plain ``10``, ``true`` or ``null`` is typed, all else is text."""
    if not text.plain or not _JSON_SCALAR.fullmatch(text):
        return str(text)
    try:
        value = json.loads(text)
    except ValueError:
        return str(text)  # more digits than Python turns into a number
    return str(text) if isinstance(value, float) and math.isinf(value) else value


def _parse_json(value: object) -> Any:
    if isinstance(value, dict):
        return {str(key): _parse_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_parse_json(item) for item in value]
    return parse_json_scalar(value) if isinstance(value, Scalar) else value


def _text_schema(pattern: str, what: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, "description": what, "examples": list(examples)})


Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    _text_schema(r"^(\d+(\.\d+)?(ms|s|m|h|d))+$", "a duration with its unit", "500ms", "10s", "1m30s"),
]
Size = Annotated[int, BeforeValidator(parse_size), _text_schema(r"^\d+(B|KiB|MiB|GiB|TiB)$", "a size", "64KiB", "1MiB")]
RateOf = Annotated[
    Rate,
    BeforeValidator(parse_rate),
    _text_schema(r"^\d+/((ms|s|m|h|d)|(\d+(\.\d+)?(ms|s|m|h|d))+)$", "so many in a time", "5/s", "300/5m"),
]
Percent = Annotated[float, BeforeValidator(_parse_percent), _text_schema(r"^\d{1,3}(\.\d+)?%$", "a percentage", "80%")]
Count = Annotated[
    int,
    BeforeValidator(_parse_count),
    WithJsonSchema({"type": "integer", "minimum": 0, "description": "a whole number"}),
]
Flag = Annotated[bool, BeforeValidator(_parse_flag), WithJsonSchema({"type": "boolean"})]
Json = Annotated[Any, BeforeValidator(_parse_json), WithJsonSchema({"description": "any JSON value"})]


class Secret:
    """Text that cannot be printed by accident: every way of showing it gives ``***``.

    ``reveal()`` is the one way to the text, so that a reader can find each use. Comparison takes constant time.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Give the text itself."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        # a value of the environment need not be UTF-8 (PEP 383)
        return hmac.compare_digest(*(text.encode("utf-8", "surrogatepass") for text in (self._text, other._text)))

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __bool__(self) -> bool:
        return bool(self._text)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Take text, and serialise to ``***``."""
        as_shown = core_schema.plain_serializer_function_ser_schema(repr)
        return core_schema.no_info_plain_validator_function(cls._from_config, serialization=as_shown)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Describe it as text."""
        return {"type": "string", "format": "password"}

    @classmethod
    def _from_config(cls, value: object) -> Secret:
        if isinstance(value, Secret):
            return value
        if not isinstance(value, str):
            raise ValueError("a secret is text")  # noqa: TRY004 - pydantic collects ValueError, not TypeError
        return cls(str(value))
