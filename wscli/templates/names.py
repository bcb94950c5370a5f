"""Bare ``{id}``, as in OpenAPI: the parameters of channel names and of paths."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from wscli.templates.filters import TemplateError
from wscli.values import shown

__all__ = ["NameTemplate", "PathTemplate", "compile_name", "compile_path"]

_PARAMETER = re.compile(r"\{([^{}]*)\}")
_PARAMETER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST = 256
_PATH_SAFE = "/%:@!$&'()*+,;=~-._"
"""RFC 3986, section 3.3: what a path may hold as it stands, and ``%`` for what the writer encoded."""


def _pieces(text: str) -> list[str]:
    """Cut into literals (even places) and parameter names (odd places)."""
    pieces = _PARAMETER.split(str(text))
    for literal in pieces[::2]:
        if "{" in literal or "}" in literal:
            raise TemplateError(f"{shown(text)} has a brace without its partner")
    for name in pieces[1::2]:
        if not _PARAMETER_NAME.fullmatch(name):
            raise TemplateError(f"{shown(text)}: '{{{name}}}' is no parameter; write a bare name, such as '{{id}}'")
    return pieces


class PathTemplate:
    """A URL path with parameters, each of which fills (part of) one segment."""

    __slots__ = ("_pieces", "params", "source")

    source: str
    params: tuple[str, ...]

    def __init__(self, source: str, pieces: tuple[str, ...]) -> None:
        self.source = source
        self._pieces = pieces
        self.params = tuple(dict.fromkeys(pieces[1::2]))

    @property
    def pieces(self) -> tuple[str, ...]:
        """Literals as they stand in a URL (even places), and the names of parameters (odd places)."""
        return self._pieces

    def render(self, params: Mapping[str, str]) -> str:
        """Fill it, each value percent-encoded.

        Raises:
            ValueError: a value is missing, or could not stand as one segment of a path.

        """
        filled = list(self._pieces)
        filled[1::2] = [_segment(name, params.get(name)) for name in filled[1::2]]
        return "".join(filled)

    def __eq__(self, other: object) -> bool:
        return self.source == other.source if isinstance(other, PathTemplate) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.source)

    def __repr__(self) -> str:
        return f"PathTemplate({self.params})"


def _refusal(value: str) -> str | None:
    """Say why a value cannot stand as one segment: it would change the path around it, or vanish."""
    if value in ("", ".", ".."):
        return "is empty" if not value else "means a directory"
    found = next((sign for sign in "/#?\0" if sign in value), None)
    if found:
        return f"holds {found!r}"
    if any("\ud800" <= sign <= "\udfff" for sign in value):
        return "is not valid UTF-8"
    return None


def _segment(name: str, value: str | None) -> str:
    if value is None:
        raise ValueError(f"the parameter {name!r} has no value")
    why = _refusal(value)
    if why:
        raise ValueError(f"{value!r} cannot be the parameter {name!r} of a path: it {why}")
    return quote(value, safe="")


def compile_path(text: str) -> PathTemplate:
    """Compile a path such as ``/consultations/{id}``.

    Raises:
        TemplateError: a brace without its partner, a parameter that is no bare name, a query, a control character.

    """
    pieces = _pieces(text)
    for literal in pieces[::2]:
        if "?" in literal or "#" in literal:
            raise TemplateError(f"{shown(text)} is more than a path; a query stands under 'query:'")
        if any(sign < " " or sign == "\x7f" for sign in literal):
            raise TemplateError(f"{shown(text)} holds a control character")
    pieces[::2] = [quote(literal, safe=_PATH_SAFE) for literal in pieces[::2]]
    return PathTemplate(str(text), tuple(pieces))


class NameTemplate:
    """The name of a channel type, such as ``consultations/{id}``."""

    __slots__ = ("_pattern", "params", "source")

    source: str
    params: tuple[str, ...]
    """In the order of the name; empty for a plain channel."""

    def __init__(self, source: str, params: tuple[str, ...], pattern: re.Pattern[str]) -> None:
        self.source = source
        self.params = params
        self._pattern = pattern

    def match(self, name: str) -> dict[str, str] | None:
        """Give the parameters of a channel's name, or None where it is not of this type.

        A parameter never spans a ``/``. A name over 256 characters, one with an unprintable character, and one whose
        parameter could not stand as a segment of a path are of no type.
        """
        found = self._pattern.fullmatch(name) if len(name) <= _LONGEST and name.isprintable() else None
        if found is None:
            return None
        params = found.groupdict()
        return None if any(map(_refusal, params.values())) else params

    def __repr__(self) -> str:
        return f"NameTemplate({self.source!r})"


def compile_name(text: str) -> NameTemplate:
    """Compile a channel's name.

    Raises:
        TemplateError: a brace without its partner, a parameter that is no bare name, is there twice or touches another.

    """
    pieces = _pieces(text)
    params = pieces[1::2]
    if len(set(params)) < len(params):
        raise TemplateError(f"{shown(text)} has a parameter twice")
    if any(not literal for literal in pieces[2:-1:2]):
        raise TemplateError(f"{shown(text)}: something must stand between two parameters")
    pattern = "".join(f"(?P<{piece}>[^/]+)" if place % 2 else re.escape(piece) for place, piece in enumerate(pieces))
    return NameTemplate(str(text), tuple(params), re.compile(pattern))
