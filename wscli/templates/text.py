"""Text with placeholders; ``{{token.x}`` writes ``{token.x}``, and any other brace is literal."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from wscli.templates.filters import Placeholder, Scope, TemplateError, did_you_mean, filter_problem
from wscli.values import Scalar

__all__ = ["NAMESPACES", "PartlyFilled", "Template", "compile_template", "split", "unquoted_placeholder"]

NAMESPACES = ("token", "param", "with", "var", "msg", "sub", "sent", "ref", "now", "gap")
"""All namespaces; each use allows some of them."""

_CANDIDATE = re.compile(
    r"(?P<escape>\{)?\{(?:(?P<space>[A-Za-z_][A-Za-z0-9_]*)\.(?P<rest>[^{}]*)|msg(?P<bare>(?:[:?][^{}]*)?))\}"
)
_FILTERED = r"(?::(?P<filter>[^:?]*))?(?:\?(?P<default>[^{}]*))?"
_REST = re.compile(rf"(?P<name>[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*){_FILTERED}")
_BARE = re.compile(_FILTERED)
_FOREIGN_REST = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*(?::[A-Za-z0-9_+-]*)?(?:\?[^{}]*)?")
_NO_REFERENCES: frozenset[tuple[str, str]] = frozenset()

Piece = str | Placeholder
PartlyFilled = tuple[Piece, ...]
"""Text and the placeholders that are not filled yet."""


class Template:
    """A compiled text; its repr does not show the text, which may contain the value of ``${VAR}``."""

    __slots__ = ("_pieces", "references", "source")

    source: str
    references: frozenset[tuple[str, str]]
    """Namespace and name of each placeholder."""

    def __init__(self, source: str, pieces: tuple[Piece, ...]) -> None:
        found = frozenset((piece.space, piece.name) for piece in pieces if isinstance(piece, Placeholder))
        self.source = source
        self.references = found or _NO_REFERENCES
        # A literal is one string, the source itself where nothing is escaped: there are many of them.
        text = "".join(map(str, pieces))
        self._pieces: tuple[Piece, ...] | str = pieces if found else source if source == text else text

    @property
    def is_literal(self) -> bool:
        """Whether it has no placeholder."""
        return isinstance(self._pieces, str)

    @property
    def whole(self) -> Placeholder | None:
        """The placeholder, if the text is nothing else."""
        only = self._pieces[0] if len(self._pieces) == 1 else None
        return only if isinstance(only, Placeholder) else None

    def render(self, scope: Scope, *, encoded: Collection[str] = ()) -> str:
        """Fill the placeholders; their values are not expanded again.

        Args:
            scope: the values.
            encoded: the namespaces whose values are percent-encoded, as part of a URL must be. A value that the text
                begins with is the URL up to there, and stays as it is.

        Raises:
            TemplateError: a placeholder has no value, or its filter refuses the value.
        """
        if isinstance(self._pieces, str):
            return self._pieces
        return "".join(
            piece if isinstance(piece, str) else piece.text(scope, encoded=bool(place) and piece.space in encoded)
            for place, piece in enumerate(self._pieces)
        )

    def partly_filled(self, scope: Scope) -> PartlyFilled:
        """Fill the placeholders whose namespace the scope has; equal results render equally with any further values.

        Raises:
            TemplateError: as for ``render``.
        """
        if isinstance(self._pieces, str):
            return (self._pieces,) if self._pieces else ()
        pieces: list[str | Placeholder] = []
        for piece in self._pieces:
            text = piece.text(scope) if isinstance(piece, Placeholder) and piece.space in scope else piece
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


def _placeholder(found: re.Match[str], namespaces: Collection[str]) -> Placeholder | None:
    """Parse a candidate; None: it is literal text."""
    space, rest, shown = found["space"] or "msg", found["rest"], repr(found.group().removeprefix("{{"))
    if space not in NAMESPACES:
        if not _FOREIGN_REST.fullmatch(rest):
            return None
        near = did_you_mean(space, namespaces)
        raise TemplateError(f"{shown}: unknown namespace {space!r}{near} ({_as_is(found)} writes it as text)")
    if space not in namespaces:
        *others, last = [f"'{{{name}.NAME}}'" for name in NAMESPACES if name in namespaces] or [""]
        allowed = f"{', '.join(others)} and {last}" if others else last
        raise TemplateError(
            f"{shown} cannot be used here; {f'only {allowed} can' if allowed else 'no placeholder can'}"
        )
    parts = _BARE.fullmatch(found["bare"]) if rest is None else _REST.fullmatch(rest)
    name = parts.groupdict().get("name") or "" if parts else ""
    if parts is None or ("." in name and space != "msg"):
        raise TemplateError(f"invalid placeholder {shown}; write '{{{space}.NAME}}' or '{{{space}.NAME:filter}}'")
    if parts["filter"] is not None and (wrong := filter_problem(parts["filter"])):
        raise TemplateError(f"{shown}: {wrong}")
    return Placeholder(space, name, parts["filter"], parts["default"])


def _as_is(found: re.Match[str]) -> str:
    return repr(f"{{{found.group()}")


def split(text: str, namespaces: Collection[str]) -> tuple[Piece, ...]:
    """Split text into literal pieces and placeholders; the value of ``${VAR}`` is always literal."""
    written = text.redacted if isinstance(text, Scalar) else text
    for found in _CANDIDATE.finditer(written) if written != text else ():
        if (found["space"] or "msg") in NAMESPACES and "***" in found.group():
            raise TemplateError(f"{found.group()!r}: a placeholder cannot contain '${{...}}'")
    text = str(text)
    pieces: list[Piece] = []
    at = 0
    for found in _CANDIDATE.finditer(text):
        if found.group() not in written:
            continue
        piece: Piece | None = None
        if not found["escape"]:
            piece = _placeholder(found, namespaces)
        elif (found["space"] or "msg") in NAMESPACES or _FOREIGN_REST.fullmatch(found["rest"]):
            piece = found.group()[1:]
        if piece is not None:
            pieces += [text[at : found.start()], piece]
            at = found.end()
    pieces.append(text[at:])
    return tuple(piece for piece in pieces if piece)


def compile_template(text: str, namespaces: Collection[str]) -> Template:
    """Compile text with placeholders of these namespaces.

    Raises:
        TemplateError: a namespace or filter is unknown, or the namespace is not allowed here.
    """
    return Template(str(text), split(text, namespaces))


def unquoted_placeholder(value: object) -> str | None:
    """Give the placeholder that was meant by an unquoted ``{token.x}``, which YAML reads as a mapping."""
    if not isinstance(value, Mapping) or len(value) != 1:
        return None
    (key, item), *_ = value.items()
    nothing = item is None or (isinstance(item, Scalar) and item.plain and item == "")
    empty = nothing or (isinstance(item, Scalar) and item.plain and item in ("null", "~"))
    found = _CANDIDATE.fullmatch(f"{{{key}}}") if empty else None
    if found is None or (found["space"] or "msg") not in NAMESPACES or (key == "msg" and not nothing):
        return None
    return f"{{{key}}}"
