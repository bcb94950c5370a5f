"""YAML mappings and lists that become JSON, with templates as leaves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from wscli.templates.filters import Scope, TemplateError
from wscli.templates.paths import ABSENT
from wscli.templates.text import Template, compile_template, unquoted_placeholder
from wscli.values import Scalar, parse_json_scalar

__all__ = ["JsonTemplate", "compile_json", "compile_key", "compile_leaf", "references_of", "same_tree"]


class JsonTemplate:
    """Compiled JSON; a leaf that is one placeholder keeps the JSON type of its value, or is left out with its key."""

    __slots__ = ("_tree", "references")

    references: frozenset[tuple[str, str]]

    def __init__(self, tree: Any) -> None:
        self._tree = tree
        self.references = frozenset(references_of(tree))

    def render(self, scope: Scope) -> Any:
        """Fill every leaf, and give a new JSON value; ``ABSENT`` where it is one placeholder that is left out.

        Raises:
            TemplateError: a placeholder has no value, or its filter refuses the value.
        """
        return _render(self._tree, scope)

    def path_to(self, space: str) -> tuple[str | int, ...] | None:
        """Give the keys and indices to the first leaf that is one placeholder of a namespace."""
        return _path_to(self._tree, space)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, JsonTemplate):
            return NotImplemented
        return same_tree(self._tree, other._tree)

    def __hash__(self) -> int:
        return hash(self.references)

    def __repr__(self) -> str:
        names = ", ".join(sorted(f"{space}.{name}" for space, name in self.references))
        return f"JsonTemplate({names or '***'})"


def references_of(tree: Any) -> set[tuple[str, str]]:
    """Give namespace and name of each placeholder in a compiled tree."""
    if isinstance(tree, (dict, list)):
        return set().union(*map(references_of, tree.values() if isinstance(tree, dict) else tree))
    return set(tree.references) if isinstance(tree, Template) else set()


def _path_to(tree: Any, space: str) -> tuple[str | int, ...] | None:
    if isinstance(tree, (dict, list)):
        for step, item in tree.items() if isinstance(tree, dict) else enumerate(tree):
            if (path := _path_to(item, space)) is not None:
                return (step, *path)
    found = isinstance(tree, Template) and tree.whole is not None and tree.whole.space == space
    return () if found else None


def _render(tree: Any, scope: Scope) -> Any:
    if isinstance(tree, dict):
        filled = {key: _render(item, scope) for key, item in tree.items()}
        return (
            {key: item for key, item in filled.items() if item is not ABSENT} if ABSENT in filled.values() else filled
        )
    if isinstance(tree, list):
        return [item for item in (_render(item, scope) for item in tree) if item is not ABSENT]
    if isinstance(tree, Template):
        return tree.whole.value(scope) if tree.whole else tree.render(scope)
    return tree


def same_tree(one: Any, other: Any) -> bool:
    """Compare as JSON does: ``1`` and ``true`` differ, which are equal in Python."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same_tree(item, other[key]) for key, item in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same_tree, one, other))
    return bool(one == other)


def _compile(value: Any, namespaces: Collection[str]) -> Any:
    if isinstance(value, Mapping):
        if meant := unquoted_placeholder(value):
            raise TemplateError(f"'{meant}' without quotes is a mapping to YAML; quote it")
        return {compile_key(key, namespaces): _compile(item, namespaces) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_compile(item, namespaces) for item in value]
    return compile_leaf(value, namespaces)


def compile_leaf(value: Any, namespaces: Collection[str]) -> Any:
    """Give a scalar as JSON would read it, and text with placeholders as a ``Template``."""
    leaf = parse_json_scalar(value) if isinstance(value, Scalar) else value
    if not isinstance(leaf, str):
        return leaf
    template = compile_template(value, namespaces)
    return template.render({}) if template.is_literal else template


def compile_key(key: Any, namespaces: Collection[str]) -> str:
    """Give a key as text.

    Raises:
        TemplateError: a placeholder is in it.
    """
    template = compile_template(key if isinstance(key, str) else str(key), namespaces)
    if not template.is_literal:
        names = " and ".join(sorted(f"{{{space}.{name}}}" for space, name in template.references))
        raise TemplateError(f"'{names}' cannot be part of a key; a placeholder must be in a value")
    return template.render({})


def compile_json(value: Any, namespaces: Collection[str]) -> JsonTemplate:
    """Compile a JSON value, or a YAML tree whose leaves are ``Scalar``.

    Raises:
        TemplateError: see ``compile_template``; or a placeholder is in a key, or not quoted.
    """
    return JsonTemplate(_compile(value, namespaces))
