"""Leaves of a shape, and the functions that check them: what runs for each message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, NamedTuple

from wscli.jsontext import json_key
from wscli.templates.filters import Scope, TemplateError
from wscli.templates.paths import ABSENT
from wscli.templates.text import Template

__all__ = ["AnyOf", "Check", "FilledLeaf", "ShapeWord", "compile_check", "fill_leaf"]

Check = Callable[[Any, Scope], bool]


class ShapeWord(Enum):
    """What a word in braces asks for."""

    ANY = "any"
    ABSENT = "absent"
    EMPTY = "empty"


class AnyOf(NamedTuple):
    """What ``{in:...}`` allows."""

    keys: frozenset[Any]
    ranges: tuple[tuple[int, int], ...]


class FilledLeaf(NamedTuple):
    """The value of a template."""

    value: Any


def fill_leaf(wanted: Any, scope: Scope) -> Any:
    """Give what a leaf must equal.

    Raises:
        TemplateError: a placeholder has no value.
    """
    if isinstance(wanted, Template):
        return wanted.whole.value(scope) if wanted.whole else wanted.render(scope)
    return wanted.value if isinstance(wanted, FilledLeaf) else wanted


def compile_check(tree: Any) -> Check:
    """Give the function that says whether a value, or ``ABSENT``, fits a compiled tree."""
    if isinstance(tree, dict):
        return _check_mapping(tree)
    if isinstance(tree, list):
        return _check_list(tree)
    if isinstance(tree, Template):
        return _check_template(tree)
    if isinstance(tree, AnyOf):
        return _check_alternatives(tree)
    if isinstance(tree, ShapeWord):
        return _SPECIAL_CHECKS[tree]
    return _check_value(_literal(tree))


_SPECIAL_CHECKS: Mapping[ShapeWord, Check] = {
    ShapeWord.ANY: lambda value, _: value is not ABSENT,
    ShapeWord.ABSENT: lambda value, _: value is ABSENT,
    ShapeWord.EMPTY: lambda value, _: value == {},
}


def _check_mapping(tree: dict[str, Any]) -> Check:
    # Most leaves are compared at once; the rest have functions of their own.
    direct = tuple((key, _literal(item)) for key, item in tree.items() if _is_direct(item))
    present = tuple(key for key, item in tree.items() if item is ShapeWord.ANY)
    others = tuple(
        (key, compile_check(item)) for key, item in tree.items() if not _is_direct(item) and item is not ShapeWord.ANY
    )

    def check(value: Any, scope: Scope) -> bool:
        if value.__class__ is not dict:
            return False
        for key, wanted in direct:
            if value.get(key) != wanted:
                return False
        for key in present:
            if key not in value:
                return False
        for key, fits in others:  # noqa: SIM110 - `all` costs a generator on the hot path
            if not fits(value.get(key, ABSENT), scope):
                return False
        return True

    return check if others or len(direct) + len(present) > 1 else _check_key(direct, present)


def _check_key(direct: tuple[tuple[str, Any], ...], present: tuple[str, ...]) -> Check:
    """Check a mapping of one key at most."""
    if present:
        (name,) = present
        return lambda value, _: value.__class__ is dict and name in value
    if not direct:
        return lambda value, _: value.__class__ is dict
    ((key, wanted),) = direct
    return lambda value, _: value.__class__ is dict and value.get(key) == wanted


def _literal(leaf: Any) -> Any:
    return leaf.value if isinstance(leaf, FilledLeaf) else leaf


def _is_direct(leaf: Any) -> bool:
    """Whether ``==`` says all: of a text, and of a number that neither ``true`` nor ``false`` equals in Python."""
    literal = _literal(leaf)
    return isinstance(literal, str) or (
        isinstance(literal, (int, float)) and not isinstance(literal, bool) and literal not in (0, 1)
    )


def _check_list(tree: list[Any]) -> Check:
    items = tuple(enumerate(map(compile_check, tree)))

    def check(value: Any, scope: Scope) -> bool:
        if not isinstance(value, list):
            return False
        length = len(value)
        return all(fits(value[at] if at < length else ABSENT, scope) for at, fits in items)

    return check


def _check_value(wanted: Any) -> Check:
    if isinstance(wanted, str):
        return lambda value, _: bool(value == wanted)
    if wanted is None or isinstance(wanted, bool):
        return lambda value, _: value is wanted
    if isinstance(wanted, (int, float)):
        return lambda value, _: value == wanted and value is not True and value is not False
    key = json_key(wanted)
    return lambda value, _: json_key(value) == key


def _check_template(wanted: Template) -> Check:
    def check(value: Any, scope: Scope) -> bool:
        try:
            filled = fill_leaf(wanted, scope)
        except TemplateError:
            return False
        if filled is ABSENT or isinstance(filled, str):
            return filled is ABSENT or bool(value == filled)
        return bool(json_key(value) == json_key(filled))

    return check


def _check_alternatives(wanted: AnyOf) -> Check:
    keys, ranges = wanted

    def check(value: Any, _: Scope) -> bool:
        if isinstance(value, (dict, list)):
            return False
        if json_key(value) in keys:
            return True
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and any(low <= value <= high for low, high in ranges)

    return check
