"""The YAML tree with lines and columns. Every scalar is text; the models type it later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from wscli.values import Scalar

__all__ = ["Branch", "MapEntry", "Items", "Leaf", "Mark", "Node", "Path", "kind_of", "plain"]

Path = tuple[str | int, ...]
"""Keys and list places from the root: ``("channels", "calls", "subprotocols", 0)``."""


class Mark(NamedTuple):
    """A place in the file, both counted from one, as editors do."""

    line: int
    column: int


@dataclass(slots=True)
class Leaf:
    """A scalar."""

    mark: Mark
    value: Scalar
    size: int = 1
    height: int = 1

    @property
    def is_nothing(self) -> bool:
        """Whether YAML would read null."""
        return self.value.plain and self.value in ("", "~", "null", "Null", "NULL")


class MapEntry(NamedTuple):
    """A value, and the place of its key."""

    key_mark: Mark
    value: Node


@dataclass(slots=True)
class Branch:
    """A mapping."""

    mark: Mark
    entries: dict[str, MapEntry]
    size: int = 1
    """The number of nodes, this one and every use of an alias included."""
    height: int = 1
    """The number of levels, its own included."""
    merges: bool = False
    """Whether it has a refused ``<<``, so that keys may be missing."""


@dataclass(slots=True)
class Items:
    """A list."""

    mark: Mark
    items: list[Node]
    size: int = 1
    height: int = 1


Node = Leaf | Branch | Items


def plain(node: Node) -> Any:
    """Give the tree as dicts, lists and ``Scalar``."""
    if isinstance(node, Leaf):
        return node.value
    if isinstance(node, Items):
        return [plain(item) for item in node.items]
    return {key: plain(entry.value) for key, entry in node.entries.items()}


def kind_of(node: Node) -> str:
    """Name its kind, for an error message."""
    if isinstance(node, Leaf):
        return "text"
    return "a list" if isinstance(node, Items) else "a mapping"
