"""Shapes: mappings match as subsets, lists as prefixes, scalars by JSON equality; compiled to closures."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple

from wscli.jsontext import json_key
from wscli.templates.checks import AnyOf, Check, FilledLeaf, ShapeWord, compile_check, fill_leaf
from wscli.templates.filters import Scope, TemplateError, did_you_mean
from wscli.templates.paths import ABSENT
from wscli.templates.text import Template, unquoted_placeholder
from wscli.templates.trees import compile_key, compile_leaf, references_of, same_tree
from wscli.values import Scalar, parse_json_scalar, shown

__all__ = ["Equality", "Shape", "compile_shape"]

_SPECIAL = re.compile(r"(?P<escape>\{)?\{(?P<word>[A-Za-z]+)(?::(?P<rest>.*))?\}", re.DOTALL)
_RANGE = re.compile(r"(-?[0-9]{1,18})-(-?[0-9]{1,18})")
_WORDS = {"any": "{any}", "absent": "{absent}", "empty": "{empty}", "in": "{in:a|b}"}


class Equality(NamedTuple):
    """A leaf that a value must equal: what an index can be built on."""

    path: tuple[str | int, ...]
    """Keys and indices to the leaf."""
    wanted: Any
    """A ``Template``, or a JSON scalar."""

    @property
    def spaces(self) -> set[str]:
        """The namespaces that the wanted value names."""
        return {space for space, _ in self.wanted.references} if isinstance(self.wanted, Template) else set()

    def find(self, value: Any) -> Any:
        """Give what a value has at the path; ``ABSENT``: nothing."""
        for step in self.path:
            if isinstance(step, str):
                value = value.get(step, ABSENT) if isinstance(value, dict) else ABSENT
            else:
                value = value[step] if isinstance(value, list) and step < len(value) else ABSENT
        return value

    def key(self, scope: Scope) -> Any:
        """Give the ``json_key`` of the wanted value; ``ABSENT``: a template has no value."""
        try:
            wanted = fill_leaf(self.wanted, scope)
        except TemplateError:
            return ABSENT
        return ABSENT if wanted is ABSENT else json_key(wanted)


class Shape:
    """A compiled shape."""

    __slots__ = ("_tree", "equalities", "matches", "optionals", "references")

    matches: Check
    """Whether a JSON value, or ``ABSENT``, has the shape; templates in it are filled from the scope.

    A template that cannot be filled fits nothing.
    """
    references: frozenset[tuple[str, str]]
    """Namespace and name of each placeholder."""
    equalities: tuple[Equality, ...]
    """The leaves that must be equal; more may be asked than they say."""
    optionals: tuple[Equality, ...]
    """The leaves that must be equal where their placeholder, which has an empty default, has a value."""

    def __init__(self, tree: Any) -> None:
        self._tree = tree
        self.references = frozenset(references_of(tree))
        leaves = list(_equalities(tree, ()))
        self.equalities = tuple(one for one in leaves if not _optional(one.wanted))
        self.optionals = tuple(one for one in leaves if _optional(one.wanted))
        self.matches = compile_check(tree)

    def filled(self, scope: Scope, *, known: Equality | None = None) -> Shape:
        """Give the shape with each template filled whose values the scope has; it matches the same, faster.

        A leaf that is ``known`` to be equal is not looked at again.
        """
        return Shape(_filled(self._tree, scope, () if known is None else known.path))

    def __eq__(self, other: object) -> bool:
        return same_tree(self._tree, other._tree) if isinstance(other, Shape) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.references)

    def __repr__(self) -> str:
        names = ", ".join(sorted(f"{space}.{name}" for space, name in self.references))
        return f"Shape({names or '***'})"


def _filled(tree: Any, scope: Scope, known: tuple[str | int, ...]) -> Any:
    if isinstance(tree, (dict, list)):
        here, deeper = known[:1], known[1:]
        items = tree.items() if isinstance(tree, dict) else enumerate(tree)
        filled = {key: _filled(item, scope, deeper if here == (key,) else ()) for key, item in items}
        if isinstance(tree, list):
            return list(filled.values())
        return {key: item for key, item in filled.items() if here != (key,) or deeper}
    if not isinstance(tree, Template) or any(space not in scope for space, _ in tree.references):
        return tree
    try:
        value = fill_leaf(tree, scope)
    except TemplateError:
        return tree
    return tree if value is ABSENT else FilledLeaf(value)


def _equalities(tree: Any, path: tuple[str | int, ...]) -> Iterator[Equality]:
    if isinstance(tree, (dict, list)):
        for step, item in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _equalities(item, (*path, step))
    elif not isinstance(tree, (ShapeWord, AnyOf)):
        yield Equality(path, tree.value if isinstance(tree, FilledLeaf) else tree)


def _optional(leaf: Any) -> bool:
    return isinstance(leaf, Template) and leaf.whole is not None and leaf.whole.default == ""


def _compile(value: Any, namespaces: Collection[str]) -> Any:
    if isinstance(value, Mapping):
        if meant := _unquoted(value):
            raise TemplateError(f"'{meant}' without quotes is a mapping to YAML; quote it")
        return {compile_key(key, namespaces): _compile(item, namespaces) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_compile(item, namespaces) for item in value]
    if isinstance(value, str) and (special := _special(value, namespaces)) is not None:
        return special
    return compile_leaf(value, namespaces)


def _unquoted(value: Mapping[Any, Any]) -> str | None:
    """Give the ``{any}`` that YAML read as a mapping."""
    (key, item), *more = value.items() or [("", "")]
    if more or not (item is None or (isinstance(item, Scalar) and item.plain and item == "")):
        return unquoted_placeholder(value)
    found = _SPECIAL.fullmatch(f"{{{key}}}")
    return f"{{{key}}}" if found and found["word"] in _WORDS else unquoted_placeholder(value)


def _special(value: str, namespaces: Collection[str]) -> Any:
    """Compile ``{any}`` and its like, and the text of ``{{any}``; None: it is neither."""
    found = _SPECIAL.fullmatch(value)
    if found is None or (found["word"] == "msg" and "msg" in namespaces):
        return None
    if isinstance(value, Scalar) and value.redacted != value:  # the value of ${VAR} is literal
        return None
    word, rest = found["word"], found["rest"]
    if found["escape"]:
        return value[1:]
    if word not in _WORDS or (rest is None) is (word == "in"):
        near = did_you_mean(word, _WORDS) or f"; there are {', '.join(_WORDS.values())}"
        raise TemplateError(f"{shown(value)}: unknown word {word!r}{near} ('{{{value}' writes it as text)")
    return ShapeWord(word) if rest is None else _alternatives(value, rest)


def _alternatives(value: str, rest: str) -> AnyOf:
    keys, ranges = [], []
    for item in rest.split("|"):
        if "{" in item or "}" in item or not item:
            raise TemplateError(f"{shown(value)}: invalid alternative {item!r}; write '{{in:a|b|4000-4099}}'")
        limits = _RANGE.fullmatch(item)
        if limits:
            ranges.append((int(limits[1]), int(limits[2])))
            if ranges[-1][0] > ranges[-1][1]:
                raise TemplateError(f"{shown(value)}: the range {item!r} is empty")
        else:
            keys.append(json_key(_quoted(item) or parse_json_scalar(Scalar(item))))
    return AnyOf(frozenset(keys), tuple(ranges))


def _quoted(item: str) -> str | None:
    """Give the text of ``"10"`` with its quotes; without them it would be a number."""
    return item[1:-1] if len(item) > 2 and item[0] == item[-1] == '"' else None


def compile_shape(tree: Any, namespaces: Collection[str]) -> Shape:
    """Compile a shape: a JSON value, or a YAML tree whose leaves are ``Scalar``.

    A placeholder that its empty default leaves out fits anything in its place, also in a list.

    Raises:
        TemplateError: see ``compile_json``; or a word in braces is unknown.
    """
    return Shape(_compile(tree, namespaces))
