"""A node and the way to it: what a check needs to say where something is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wscli.config.nodes import Branch, Items, Leaf, Mark, Node, Path
from wscli.values import Scalar

__all__ = ["Spot"]


@dataclass(frozen=True, slots=True)
class Spot:
    """A node of the tree, its path, and the place of its key."""

    node: Node
    path: Path = ()
    key_mark: Mark | None = None

    @property
    def mark(self) -> Mark:
        """Where the value stands."""
        return self.node.mark

    @property
    def key_at(self) -> Mark:
        """Where the key stands; of a list's item, and of the file, the value itself."""
        return self.key_mark or self.node.mark

    @property
    def key(self) -> str:
        """The last key of the path."""
        return str(self.path[-1]) if self.path else ""

    @property
    def text(self) -> Scalar | None:
        """The text, where it is text."""
        return self.node.value if isinstance(self.node, Leaf) else None

    def get(self, *keys: str) -> Spot | None:
        """Follow keys; None where they lead nowhere."""
        spot: Spot | None = self
        for key in keys:
            spot = spot._child(key) if spot is not None else None
        return spot

    def _child(self, key: str) -> Spot | None:
        entry = self.node.entries.get(key) if isinstance(self.node, Branch) else None
        return None if entry is None else Spot(entry.value, (*self.path, key), entry.key_mark)

    def entries(self) -> Iterator[tuple[str, Spot]]:
        """Give the entries of a mapping; of anything else, nothing."""
        if isinstance(self.node, Branch):
            for key, entry in self.node.entries.items():
                yield key, Spot(entry.value, (*self.path, key), entry.key_mark)

    def items(self) -> Iterator[Spot]:
        """Give the items of a list; of anything else, nothing."""
        if isinstance(self.node, Items):
            for place, item in enumerate(self.node.items):
                yield Spot(item, (*self.path, place))

    def leaves(self) -> Iterator[Spot]:
        """Give every text in it, at whatever depth."""
        if self.text is not None:
            yield self
        for _, child in self.entries():
            yield from child.leaves()
        for item in self.items():
            yield from item.leaves()

    def follow(self, path: Path) -> tuple[Spot, Path]:
        """Follow a path as far as it leads, and give what is left of it."""
        spot = self
        for done, step in enumerate(path):
            child = (
                spot._child(step)
                if isinstance(step, str)
                else next((item for item in spot.items() if item.path[-1] == step), None)
            )
            if child is None:
                return spot, path[done:]
            spot = child
        return spot, ()
