"""Channel names and paths with bare ``{id}`` parameters, as in OpenAPI."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from wscli.templates.filters import TemplateError
from wscli.values import shown

__all__ = ["NameTemplate", "PathTemplate", "compile_name", "compile_path"]

_PARAMETER = re.compile(r"\{([^{}]*)\}")
_PARAMETER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_NAME = 256
_PATH_SAFE = "/%:@!$&'()*+,;=~-._"
"""Characters that a path may contain (RFC 3986, section 3.3), and ``%`` for what is encoded already."""


def _pieces(text: str) -> list[str]:
    """Split into literals (even indices) and parameter names (odd indices)."""
    pieces = _PARAMETER.split(str(text))
    for literal in pieces[::2]:
        if "{" in literal or "}" in literal:
            raise TemplateError(f"{shown(text)} has an unmatched brace")
    for name in pieces[1::2]:
        if not _PARAMETER_NAME.fullmatch(name):
            raise TemplateError(f"{shown(text)}: invalid parameter '{{{name}}}'; write a bare name, such as '{{id}}'")
    return pieces


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A URL path with parameters, each of which fills (part of) one segment."""

    pieces: tuple[str, ...] = field(repr=False)
    """Literals as in a URL (even indices), and the names of parameters (odd indices)."""

    @property
    def params(self) -> tuple[str, ...]:
        """The names of the parameters, each once."""
        return tuple(dict.fromkeys(self.pieces[1::2]))

    def render(self, params: Mapping[str, str]) -> str:
        """Fill the parameters with percent-encoded values.

        Raises:
            ValueError: a value is missing, or cannot be one segment of a path.
        """
        filled = list(self.pieces)
        for name in self.params:
            if name not in params:
                raise ValueError(f"the parameter {name!r} has no value")
            if why := _refusal(params[name]):
                raise ValueError(f"{params[name]!r} cannot be the parameter {name!r} of a path: it {why}")
        filled[1::2] = [quote(params[name], safe="") for name in filled[1::2]]
        return "".join(filled)


def _refusal(value: str) -> str | None:
    """Say why a value cannot be one segment of a path; None: it can."""
    if value in ("", ".", ".."):
        return "means a directory" if value else "is empty"
    if found := next((sign for sign in "/#?\0" if sign in value), None):
        return f"contains {found!r}"
    if any("\ud800" <= sign <= "\udfff" for sign in value):
        return "is not valid UTF-8"
    return None


def compile_path(text: str) -> PathTemplate:
    """Compile a path such as ``/consultations/{id}``.

    Raises:
        TemplateError: an unmatched brace, an invalid parameter name, a query, or a control character.
    """
    pieces = _pieces(text)
    for literal in pieces[::2]:
        if "?" in literal or "#" in literal:
            raise TemplateError(f"{shown(text)} must be a path only; write a query under 'query:'")
        if any(sign < " " or sign == "\x7f" for sign in literal):
            raise TemplateError(f"{shown(text)} contains a control character")
    pieces[::2] = [quote(literal, safe=_PATH_SAFE) for literal in pieces[::2]]
    return PathTemplate(tuple(pieces))


@dataclass(frozen=True, slots=True)
class NameTemplate:
    """The name of a channel type, such as ``consultations/{id}``."""

    params: tuple[str, ...]
    """In the order of the name; empty for a channel without parameters."""
    pattern: re.Pattern[str] = field(repr=False)

    def match(self, name: str) -> dict[str, str] | None:
        """Give the parameters of a channel's name; None: it is not of this type.

        A name has at most 256 printable characters, and a parameter is one segment of a path.
        """
        found = self.pattern.fullmatch(name) if len(name) <= _MAX_NAME and name.isprintable() else None
        if found is None:
            return None
        params = found.groupdict()
        return None if any(map(_refusal, params.values())) else params


def compile_name(text: str) -> NameTemplate:
    """Compile a channel's name.

    Raises:
        TemplateError: an unmatched brace, or a parameter with an invalid name, repeated, or next to another.
    """
    pieces = _pieces(text)
    params = pieces[1::2]
    if len(set(params)) < len(params):
        raise TemplateError(f"{shown(text)} repeats a parameter")
    if any(not literal for literal in pieces[2:-1:2]):
        raise TemplateError(f"{shown(text)} needs text between two parameters")
    pattern = "".join(f"(?P<{piece}>[^/]+)" if place % 2 else re.escape(piece) for place, piece in enumerate(pieces))
    return NameTemplate(tuple(params), re.compile(pattern))
