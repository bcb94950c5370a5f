"""Channel names and paths with bare ``{id}`` parameters, as in OpenAPI; a path may have ``{var.x}`` as well."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from urllib.parse import quote

from wscli.templates.filters import Scope, TemplateError, as_text
from wscli.templates.text import Template, compile_template
from wscli.values import shown

__all__ = ["NameTemplate", "PathTemplate", "compile_name", "compile_path"]

_PARAMETER = re.compile(r"\{([^{}]*)\}")
_PARAMETER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_NAME = 256
_PATH_SAFE = "/%:@!$&'()*+,;=~-._"
"""Characters that a path may contain (RFC 3986, section 3.3), and ``%`` for what is encoded already."""


def _pieces(text: str, namespaces: Collection[str] = ()) -> list[str]:
    """Split into literals (even indices), and parameter names or other placeholders (odd indices)."""
    pieces = _PARAMETER.split(str(text))
    for literal in pieces[::2]:
        if "{" in literal or "}" in literal:
            raise TemplateError(f"{shown(text)} has an unmatched brace")
    for name in pieces[1::2]:
        if not (namespaces and "." in name) and not _PARAMETER_NAME.fullmatch(name):
            raise TemplateError(f"{shown(text)}: invalid parameter '{{{name}}}'; write a bare name, such as '{{id}}'")
    return pieces


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A URL path with parameters and placeholders, each of which fills (part of) one segment."""

    pieces: tuple[str, ...] = field(repr=False)
    """Literals as in a URL (even indices), and what stands between braces (odd indices)."""
    templates: Mapping[str, Template] = field(default_factory=dict, repr=False)
    """The placeholders, such as ``{var.x}``, by what stands between their braces; the others are parameters."""

    @property
    def params(self) -> tuple[str, ...]:
        """The names of the parameters, each once."""
        return tuple(name for name in dict.fromkeys(self.pieces[1::2]) if name not in self.templates)

    @property
    def references(self) -> frozenset[tuple[str, str]]:
        """Namespace and name of each placeholder; parameters are not among them."""
        return frozenset().union(*(template.references for template in self.templates.values()))

    def render(self, params: Mapping[str, str], scope: Scope = MappingProxyType({})) -> str:
        """Fill the parameters and the placeholders with percent-encoded values.

        Raises:
            ValueError: a value is missing, or cannot be one segment of a path.
        """
        return "".join(self._filled(params, scope, ()))

    def partly_filled(self, params: Mapping[str, str], scope: Scope) -> tuple[str, ...]:
        """Fill the parameters, and the placeholders whose namespace the scope has; equal results render equally.

        Raises:
            ValueError: as for ``render``.
        """
        later = [name for name, one in self.templates.items() if any(space not in scope for space, _ in one.references)]
        filled = self._filled(params, scope, later)
        return tuple(filled) if later else ("".join(filled),)

    def shown(self, params: Mapping[str, str]) -> str:
        """Fill the parameters; placeholders stay as they are."""
        return "".join(
            f"{{{piece}}}" if place % 2 and piece in self.templates else piece
            for place, piece in enumerate(self._filled(params, {}, self.templates))
        )

    def _filled(self, params: Mapping[str, str], scope: Scope, later: Collection[str]) -> list[str]:
        """Give the pieces; those of ``later`` stay as they are."""
        filled = list(self.pieces)
        for place, name in enumerate(self.pieces):
            if place % 2 and name not in later:
                template = self.templates.get(name)
                if template is None and name not in params:
                    raise ValueError(f"the parameter {name!r} has no value")
                value = params[name] if template is None else as_text(template.render(scope))
                if why := _refusal(value):  # only a parameter is certainly no secret
                    what = f"{value!r} cannot be the parameter {name!r}" if template is None else f"bad '{{{name}}}'"
                    raise ValueError(f"{what} of a path: it {why}")
                filled[place] = quote(value, safe="")
        return filled


def _refusal(value: str) -> str | None:
    """Say why a value cannot be one segment of a path; None: it can."""
    if value in ("", ".", ".."):
        return "means a directory" if value else "is empty"
    if found := next((sign for sign in "/#?\0" if sign in value), None):
        return f"contains {found!r}"
    if any("\ud800" <= sign <= "\udfff" for sign in value):
        return "is not valid UTF-8"
    return None


def compile_path(text: str, namespaces: Collection[str] = ()) -> PathTemplate:
    """Compile a path such as ``/consultations/{id}``, or with placeholders of these namespaces.

    Raises:
        TemplateError: an unmatched brace, an invalid parameter name or placeholder, a query, or a control character.
    """
    pieces = _pieces(text, namespaces)
    templates = {piece: compile_template(f"{{{piece}}}", namespaces) for piece in pieces[1::2] if "." in piece}
    for literal in pieces[::2]:
        if "?" in literal or "#" in literal:
            raise TemplateError(f"{shown(text)} must be a path only; write a query under 'query:'")
        if any(sign < " " or sign == "\x7f" for sign in literal):
            raise TemplateError(f"{shown(text)} contains a control character")
    pieces[::2] = [quote(literal, safe=_PATH_SAFE) for literal in pieces[::2]]
    return PathTemplate(tuple(pieces), templates)


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
