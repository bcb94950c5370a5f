"""A node with its path: what a check needs to report a problem with its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wscli.config.reading.nodes import Branch, Items, Leaf, Mark, Node, Path
from wscli.values import Scalar

__all__ = ["Located"]


@dataclass(frozen=True, slots=True)
class Located:
    """A node of the tree, its path, and the place of its key."""

    node: Node
    path: Path = ()
    key_mark: Mark | None = None

    @property
    def mark(self) -> Mark:
        """The value's place."""
        return self.node.mark

    @property
    def key_at(self) -> Mark:
        """The key's place; for an item of a list and for the whole file, the value's."""
        return self.key_mark or self.node.mark

    @property
    def key(self) -> str:
        """The last key of the path."""
        return str(self.path[-1]) if self.path else ""

    @property
    def text(self) -> Scalar | None:
        """The text of a scalar, else None."""
        return self.node.value if isinstance(self.node, Leaf) else None

    def get(self, *keys: str) -> Located | None:
        """Follow keys; None where they lead nowhere."""
        located = self
        for key in keys:
            entry = located.node.entries.get(key) if isinstance(located.node, Branch) else None
            if entry is None:
                return None
            located = Located(entry.value, (*located.path, key), entry.key_mark)
        return located

    def entries(self) -> Iterator[tuple[str, Located]]:
        """Give the entries of a mapping; other nodes have none."""
        if isinstance(self.node, Branch):
            for key, entry in self.node.entries.items():
                yield key, Located(entry.value, (*self.path, key), entry.key_mark)

    def section(self, key: str) -> list[tuple[str, Located]]:
        """Give the entries of the mapping under a key; a missing one has none."""
        child = self.get(key)
        return [] if child is None else list(child.entries())

    def items(self) -> Iterator[Located]:
        """Give the items of a list; other nodes have none."""
        if isinstance(self.node, Items):
            for place, item in enumerate(self.node.items):
                yield Located(item, (*self.path, place))

    def leaves(self) -> Iterator[Located]:
        """Give every scalar at any depth."""
        if self.text is not None:
            yield self
        for _, child in self.entries():
            yield from child.leaves()
        for item in self.items():
            yield from item.leaves()

    def follow(self, path: Path) -> tuple[Located, Path]:
        """Follow a path as far as it exists, and give the rest of it."""
        located = self
        for done, step in enumerate(path):
            child = (
                located.get(step)
                if isinstance(step, str)
                else next((item for item in located.items() if item.path[-1] == step), None)
            )
            if child is None:
                return located, path[done:]
            located = child
        return located, ()
