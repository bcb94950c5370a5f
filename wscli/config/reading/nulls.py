"""Refuse nulls: ``path:``, ``path: ~`` and ``path: null`` have no meaning in the schema."""

from __future__ import annotations

from wscli.config.reading.located import Located
from wscli.config.reading.nodes import Branch, Items, Leaf, Node, Path
from wscli.config.reading.problems import FileProblems
from wscli.templates import unquoted_placeholder

__all__ = ["refuse_nulls"]


def refuse_nulls(root: Located, problems: FileProblems) -> None:
    """Refuse nulls everywhere but in JSON bodies."""
    _visit(root.node, (), problems)


def _visit(node: Node, path: Path, problems: FileProblems) -> None:
    if path[:1] == ("tokens",) and path[-1:] == ("json",):
        return
    if isinstance(node, Items):
        for place, item in enumerate(node.items):
            _visit(item, (*path, place), problems)
    elif isinstance(node, Branch):
        if len(node.entries) == 1 and _is_placeholder(node):
            return  # the types report that it must be quoted
        for key, entry in node.entries.items():
            _visit(entry.value, (*path, key), problems)
    elif node.is_nothing and not problems.at(node.mark):
        if node.value:
            text = f"'{node.value}' is not a value here; leave the key out, or quote it to mean the text"
        else:
            text = "the value is missing; leave the key out, or give one ('' is an empty text)"
        problems.add(node.mark, path, text)


def _is_placeholder(branch: Branch) -> bool:
    leaves = {key: entry.value.value for key, entry in branch.entries.items() if isinstance(entry.value, Leaf)}
    return unquoted_placeholder(leaves) is not None
