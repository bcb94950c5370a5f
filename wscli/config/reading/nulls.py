"""Refuse nulls: ``path:``, ``path: ~`` and ``path: null`` have no meaning in the schema."""

from __future__ import annotations

from wscli.config.reading.located import Located
from wscli.config.reading.nodes import Branch, Leaf, plain
from wscli.config.reading.problems import FileProblems
from wscli.templates import unquoted_placeholder

__all__ = ["refuse_nulls"]


def refuse_nulls(located: Located, problems: FileProblems) -> None:
    """Refuse nulls everywhere but in JSON bodies."""
    node, path = located.node, located.path
    if path[:1] == ("tokens",) and path[-1:] == ("json",):
        return
    if isinstance(node, Branch) and len(node.entries) == 1 and unquoted_placeholder(plain(node)):
        return  # the types report that it must be quoted
    if isinstance(node, Leaf) and node.is_nothing and not problems.at(node.mark):
        if node.value:
            text = f"'{node.value}' is not a value here; leave the key out, or quote it to mean the text"
        else:
            text = "the value is missing; leave the key out, or give one ('' is an empty text)"
        problems.add(node.mark, path, text)
    for child in (*(entry for _, entry in located.entries()), *located.items()):
        refuse_nulls(child, problems)
