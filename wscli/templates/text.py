"""Text with placeholders. ``{{token.x}`` writes ``{token.x}``; every brace that begins no placeholder is literal."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from urllib.parse import quote

from wscli.templates.filters import FILTERS, Placeholder, Scope, TemplateError, as_text, did_you_mean
from wscli.values import Scalar

__all__ = ["NAMESPACES", "PartlyFilled", "Template", "compile_template", "split", "unquoted_placeholder"]

NAMESPACES = ("token", "param", "with", "var", "msg", "sub", "sent", "ref", "gap")
"""All that exist somewhere; what a place allows is fewer."""

_CANDIDATE = re.compile(r"(?P<escape>\{)?\{(?P<space>[A-Za-z_][A-Za-z0-9_]*)\.(?P<rest>[^{}]*)\}")
_REST = re.compile(r"(?P<name>[A-Za-z0-9_-]+)(?::(?P<filter>[^:]*))?")
_FOREIGN_REST = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*(?::[A-Za-z0-9_]*)?")
_NO_REFERENCES: frozenset[tuple[str, str]] = frozenset()

Piece = str | Placeholder
PartlyFilled = tuple[Piece, ...]
"""Text and the placeholders that are not filled yet."""


class Template:
    """Compiled text. Its repr never shows the text, which may hold what came from ``${VAR}``."""

    __slots__ = ("_pieces", "references", "source")

    source: str
    references: frozenset[tuple[str, str]]
    """Namespace and name of each placeholder."""

    def __init__(self, source: str, pieces: tuple[Piece, ...]) -> None:
        found = frozenset((piece.space, piece.name) for piece in pieces if isinstance(piece, Placeholder))
        self.source = source
        self.references = found or _NO_REFERENCES
        # A literal keeps one string, and none beside its source where nothing was escaped: there are many of them.
        self._pieces: tuple[Piece, ...] | str = pieces if found else _shared(source, "".join(map(str, pieces)))

    @property
    def is_literal(self) -> bool:
        """Whether it renders the same for every scope."""
        return isinstance(self._pieces, str)

    @property
    def whole(self) -> Placeholder | None:
        """The one placeholder that is all of it, if so."""
        only = self._pieces[0] if len(self._pieces) == 1 else None
        return only if isinstance(only, Placeholder) else None

    def render(self, scope: Scope, *, encoded: Collection[str] = ()) -> str:
        """Fill it; what is filled in is not expanded again.

        Args:
            scope: the values.
            encoded: the namespaces whose values are percent-encoded, so that in a URL none of them leads elsewhere.

        Raises:
            TemplateError: a placeholder has no value, or its filter cannot take the value.

        """
        if isinstance(self._pieces, str):
            return self._pieces
        return "".join(piece if isinstance(piece, str) else _filled(piece, scope, encoded) for piece in self._pieces)

    def partly_filled(self, scope: Scope) -> PartlyFilled:
        """Fill the placeholders whose namespace the scope has; equal results render equally with any further values.

        Raises:
            TemplateError: as for ``render``.

        """
        if isinstance(self._pieces, str):
            return (self._pieces,) if self._pieces else ()
        pieces: list[str | Placeholder] = []
        for piece in self._pieces:
            text = as_text(piece.value(scope)) if isinstance(piece, Placeholder) and piece.space in scope else piece
            if isinstance(text, str) and pieces and isinstance(pieces[-1], str):
                pieces[-1] += text
            elif text:
                pieces.append(text)
        return tuple(pieces)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Template):
            return NotImplemented
        return self.source == other.source and self._pieces == other._pieces

    def __hash__(self) -> int:
        return hash(self.source)

    def __repr__(self) -> str:
        names = ", ".join(sorted(f"{space}.{name}" for space, name in self.references))
        return f"Template({names or '***'})"


def _shared(source: str, text: str) -> str:
    return source if source == text else text


def _filled(piece: Placeholder, scope: Scope, encoded: Collection[str]) -> str:
    text = as_text(piece.value(scope))
    return quote(text, safe="") if piece.space in encoded and piece.filter != "url" else text


def _placeholder(found: re.Match[str], namespaces: Collection[str]) -> Placeholder | None:
    """Read a candidate; None for one that is literal text after all."""
    space, rest, shown = found["space"], found["rest"], repr(f"{{{found['space']}.{found['rest']}}}")
    if space not in NAMESPACES:
        if not _FOREIGN_REST.fullmatch(rest):
            return None
        as_is = repr(f"{{{{{space}.{rest}}}")
        near = did_you_mean(space, namespaces)
        raise TemplateError(f"{shown}: no namespace is called {space!r}{near} ({as_is} writes it as text)")
    if space not in namespaces:
        allowed = " and ".join(f"'{{{name}.NAME}}'" for name in NAMESPACES if name in namespaces)
        raise TemplateError(
            f"{shown} cannot be used here; {f'only {allowed} can' if allowed else 'no placeholder can'}"
        )
    parts = _REST.fullmatch(rest)
    if parts is None:
        raise TemplateError(f"{shown} is not a placeholder; write '{{{space}.NAME}}' or '{{{space}.NAME:filter}}'")
    if parts["filter"] is not None and parts["filter"] not in FILTERS:
        near = did_you_mean(parts["filter"], FILTERS) or f"; there are {', '.join(FILTERS)}"
        raise TemplateError(f"{shown}: no filter is called {parts['filter']!r}{near}")
    return Placeholder(space, parts["name"], parts["filter"])


def _refuse_composed(redacted: str) -> None:
    for found in _CANDIDATE.finditer(redacted):
        if found["space"] in NAMESPACES and "***" in found["rest"]:
            raise TemplateError(f"{found.group()!r}: a placeholder cannot be put together from '${{...}}'")


def split(text: str, namespaces: Collection[str]) -> tuple[Piece, ...]:
    """Cut text into literal pieces and placeholders.

    What came from ``${VAR}`` is literal, whatever it looks like: only a placeholder that the file itself says counts.
    """
    written = text.redacted if isinstance(text, Scalar) else text
    if written != text:
        _refuse_composed(written)
    text = str(text)
    pieces: list[Piece] = []
    at = 0
    for found in _CANDIDATE.finditer(text):
        if found.group() not in written:
            continue
        if found["escape"]:
            if found["space"] in NAMESPACES or _FOREIGN_REST.fullmatch(found["rest"]):
                pieces += [text[at : found.start()], found.group()[1:]]
                at = found.end()
            continue
        placeholder = _placeholder(found, namespaces)
        if placeholder is not None:
            pieces += [text[at : found.start()], placeholder]
            at = found.end()
    pieces.append(text[at:])
    return tuple(piece for piece in pieces if piece)


def compile_template(text: str, namespaces: Collection[str]) -> Template:
    """Compile text whose placeholders may be of these namespaces.

    Raises:
        TemplateError: an unknown namespace or filter, or a namespace that has no meaning here.

    """
    return Template(str(text), split(text, namespaces))


def unquoted_placeholder(value: object) -> str | None:
    """Give the placeholder that was meant where YAML read an unquoted ``{token.x}`` as a mapping of one empty key."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return None
    (key, item), *_ = value.items()
    empty = item is None or (isinstance(item, Scalar) and item.plain and item in ("", "null", "~"))
    found = _CANDIDATE.fullmatch(f"{{{key}}}") if empty else None
    return f"{{{key}}}" if found and found["space"] in NAMESPACES else None
