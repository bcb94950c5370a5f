"""Build the tree from YAML's event stream, with limits on depth, size and the expansion of aliases.

PyYAML's own composers recurse without limit (the C one crashes the process), keep the last of two equal keys, and guess
types.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from wscli.config.reading.nodes import Branch, Items, Leaf, MapEntry, Mark, Node, Path, kind_of
from wscli.config.reading.problems import FatalProblem, FileProblems
from wscli.config.reading.syntax import explain_error, mark_of
from wscli.values import Scalar

__all__ = ["MAX_ALIASED", "MAX_DEPTH", "MAX_NODES", "parse_yaml"]

MAX_DEPTH = 32
MAX_NODES = 200_000
MAX_ALIASED = 10_000

_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse_yaml(text: str, problems: FileProblems, *, loader: type[Any] = _LOADER) -> Branch:
    """Read one document whose root is a mapping.

    Raises:
        FatalProblem: the text cannot be read to its end, or is not a mapping. Other problems go to ``problems``.
    """
    events = _events(text, loader)
    root = _Builder(events, problems).document()
    if root is None or (isinstance(root, Leaf) and root.is_nothing):
        what, mark = ("is empty", Mark(1, 1)) if root is None else ("declares nothing", root.mark)
        raise FatalProblem(mark, f"the file {what}; 'endpoints:' and 'channels:' are the least that it needs")
    if not isinstance(root, Branch):
        text = f"the file must be a mapping with 'endpoints:', 'channels:' and so on, not {kind_of(root)}"
        raise FatalProblem(root.mark, text)
    return root


def _events(text: str, loader: type[Any]) -> Iterator[yaml.Event]:
    try:
        yield from yaml.parse(text, Loader=loader)
    except yaml.YAMLError as error:
        raise FatalProblem(*explain_error(error, text)) from None
    except ValueError:  # the pure parser, for an escape beyond Unicode
        raise FatalProblem(Mark(1, 1), "an escape is not a character") from None


class _Builder:
    def __init__(self, events: Iterator[yaml.Event], problems: FileProblems) -> None:
        self._events = events
        self._problems = problems
        self._anchors: dict[str, Node | None] = {}
        self._nodes = 0
        self._aliased = 0

    def document(self) -> Node | None:
        root: Node | None = None
        for event in self._events:
            if not isinstance(event, yaml.DocumentStartEvent):
                continue
            if root is not None:
                raise FatalProblem(mark_of(event.start_mark), "a second document begins here; one file is one document")
            root = self._node(next(self._events), (), 1)
        return root

    def _node(self, event: yaml.Event, path: Path, depth: int) -> Node:
        mark = mark_of(event.start_mark)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), mark, path, depth)
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise FatalProblem(mark, f"there are more than {MAX_NODES} values; a configuration has fewer")
        if depth > MAX_DEPTH:
            raise FatalProblem(mark, f"this is nested more than {MAX_DEPTH} levels deep", path[:3])
        if getattr(event, "tag", None) is not None:
            self._problems.add(mark, path, "tags ('!...') are not allowed; remove it")
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            if anchor in self._anchors:
                self._problems.add(mark, path, f"the anchor '&{anchor}' is already taken")
            self._anchors[anchor] = None  # until it is complete
        node = self._content(event, mark, path, depth)
        if anchor is not None:
            self._anchors[anchor] = node
        return node

    def _content(self, event: yaml.Event, mark: Mark, path: Path, depth: int) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            return self._leaf(event, mark, path)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._items(mark, path, depth)
        return self._branch(mark, path, depth)

    def _leaf(self, event: yaml.ScalarEvent, mark: Mark, path: Path) -> Leaf:
        value = str(event.value)
        ends = path[2:3] == ("session",) or path[:1] == ("session",)  # of an endpoint or a preset: messages may end so
        nul = "\0" in value and not ends
        if nul or any("\ud800" <= sign <= "\udfff" for sign in value):
            self._problems.add(mark, path, "an escape in this text is not a valid character")
            value = ""
        return Leaf(mark, Scalar(value, plain=not event.style))

    def _items(self, mark: Mark, path: Path, depth: int) -> Items:
        items: list[Node] = []
        for event in self._events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self._node(event, (*path, len(items)), depth + 1))
        return Items(mark, items, *_extent(items))

    def _branch(self, mark: Mark, path: Path, depth: int) -> Branch:
        entries: dict[str, MapEntry] = {}
        merges = False
        for event in self._events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key_mark = mark_of(event.start_mark)
            node = self._node(event, path, depth + 1)
            merges = merges or _is_merge(node)
            key = self._key(node, key_mark, path)
            value = self._node(next(self._events), path if key is None else (*path, key), depth + 1)
            if isinstance(value, Leaf) and value.is_nothing and not value.value:
                value = Leaf(key_mark, value.value)  # YAML places a missing value at the next token
            if key in entries:
                line = entries[key].key_mark.line
                self._problems.add(key_mark, (*path, key), f"duplicate key; the first is on line {line}")
            elif key is not None:
                entries[key] = MapEntry(key_mark, value)
        return Branch(mark, entries, *_extent([entry.value for entry in entries.values()]), merges=merges)

    def _key(self, node: Node, mark: Mark, path: Path) -> str | None:
        """Give the key, or None for an invalid one."""
        if not isinstance(node, Leaf):
            self._problems.add(mark, path, "a key must be text")
            return None
        if _is_merge(node):
            text = "'<<' merges nothing here; give the keys themselves, or let the endpoint hold them"
            self._problems.add(mark, path, text)
            return None
        if "${" in node.value:
            self._problems.add(mark, (*path, str(node.value)), "'${' in a key; only values are expanded")
        return str(node.value)

    def _alias(self, name: str, mark: Mark, path: Path, depth: int) -> Node:
        if name not in self._anchors:
            raise FatalProblem(mark, f"no anchor '&{name}' stands above; quote '*{name}' if text is meant", path)
        node = self._anchors[name]
        if node is None:
            raise FatalProblem(mark, f"the alias '*{name}' contains itself", path)
        self._aliased += node.size
        if self._aliased > MAX_ALIASED:
            raise FatalProblem(mark, f"the aliases expand to more than {MAX_ALIASED} values", path[:3])
        if depth + node.height - 1 > MAX_DEPTH:
            raise FatalProblem(mark, f"this is nested more than {MAX_DEPTH} levels deep", path[:3])
        return node


def _is_merge(node: Node) -> bool:
    return isinstance(node, Leaf) and node.value.plain and node.value == "<<"


def _extent(nodes: list[Node]) -> tuple[int, int]:
    return 1 + sum(node.size for node in nodes), 1 + max((node.height for node in nodes), default=0)
