"""YAML mappings and lists that become JSON, with templates as leaves."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from wscli.templates.filters import Scope, TemplateError
from wscli.templates.text import Template, compile_template, unquoted_placeholder
from wscli.values import Scalar, parse_json_scalar

__all__ = ["JsonTemplate", "compile_json"]


class JsonTemplate:
    """Compiled JSON; a leaf that is one placeholder keeps the JSON type of its value."""

    __slots__ = ("_tree", "references")

    references: frozenset[tuple[str, str]]

    def __init__(self, tree: Any) -> None:
        self._tree = tree
        self.references = frozenset(_references(tree))

    def render(self, scope: Scope) -> Any:
        """Fill every leaf, and give a new JSON value.

        Raises:
            TemplateError: a placeholder has no value, or its filter refuses the value.
        """
        return _render(self._tree, scope)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, JsonTemplate):
            return NotImplemented
        return _same(self._tree, other._tree)

    def __hash__(self) -> int:
        return hash(self.references)

    def __repr__(self) -> str:
        names = ", ".join(sorted(f"{space}.{name}" for space, name in self.references))
        return f"JsonTemplate({names or '***'})"


def _references(tree: Any) -> set[tuple[str, str]]:
    if isinstance(tree, (dict, list)):
        return set().union(*map(_references, tree.values() if isinstance(tree, dict) else tree))
    return set(tree.references) if isinstance(tree, Template) else set()


def _render(tree: Any, scope: Scope) -> Any:
    if isinstance(tree, dict):
        return {key: _render(item, scope) for key, item in tree.items()}
    if isinstance(tree, list):
        return [_render(item, scope) for item in tree]
    if isinstance(tree, Template):
        return tree.whole.value(scope) if tree.whole else tree.render(scope)
    return tree


def _same(one: Any, other: Any) -> bool:
    """Compare as JSON does: ``1`` and ``true`` differ, which are equal in Python."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(item, other[key]) for key, item in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def _compile(value: Any, namespaces: Collection[str]) -> Any:
    if isinstance(value, Mapping):
        if meant := unquoted_placeholder(value):
            raise TemplateError(f"'{meant}' without quotes is a mapping to YAML; quote it")
        return {_compile_key(key, namespaces): _compile(item, namespaces) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_compile(item, namespaces) for item in value]
    leaf = parse_json_scalar(value) if isinstance(value, Scalar) else value
    if not isinstance(leaf, str):
        return leaf
    template = compile_template(value, namespaces)
    return template.render({}) if template.is_literal else template


def _compile_key(key: Any, namespaces: Collection[str]) -> str:
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
