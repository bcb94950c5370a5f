"""pydantic's errors, on the node tree and in our words."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from wscli.config.known import described, known_keys, misplaced
from wscli.config.nodes import Branch, Leaf, Path, kind_of, plain
from wscli.config.problems import Problems
from wscli.config.spots import Spot
from wscli.templates import did_you_mean, unquoted_placeholder
from wscli.values import Scalar, format_duration, shown

__all__ = ["translate_errors"]

_WANTED = {
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "mapping_type": "a mapping",
    "list_type": "a list",
    "tuple_type": "a list",
    "string_type": "text",
}
_BOUNDS = {
    "greater_than": ("too small", "above", "gt"),
    "greater_than_equal": ("too small", "at least", "ge"),
    "less_than": ("too large", "below", "lt"),
    "less_than_equal": ("too large", "at most", "le"),
}
_CLOSE = 0.7
"""How much of a misspelt key must be right: ``session``, which some version may bring, is no ``compression``."""


class _Found:
    """One error, placed: where it is, and what of its path names no node (the branches of a union)."""

    def __init__(self, error: ErrorDetails, root: Spot) -> None:
        self.error = error
        self.kind = error["type"]
        self.key: str | None = None
        path: Path = error["loc"]
        self.is_key = path[-1:] == ("[key]",)
        if self.is_key:
            path = path[:-1]
        if self.kind == "missing":
            self.key, path = str(path[-1]), path[:-1]
        self.spot, rest = root.follow(path)
        self.union: Spot | None = None
        self.branch = ""
        while rest:
            if self.union is None:
                self.union, self.branch = self.spot, str(rest[0])
            self.spot, rest = self.spot.follow(rest[1:])

    @property
    def is_wrong_kind(self) -> bool:
        """Whether the branch of the union cannot be what was meant."""
        return self.spot is self.union and (self.kind in _WANTED or self.kind == "literal_error")


def translate_errors(error: ValidationError, root: Spot, problems: Problems) -> None:
    """Note each error, one line each; of a union, those of the branch that was meant."""
    unions: dict[Path, list[_Found]] = defaultdict(list)
    for details in error.errors(include_url=False, include_input=False):
        found = _Found(details, root)
        inner = (details.get("ctx") or {}).get("error")
        if isinstance(inner, ValidationError):  # a validator that asked pydantic in its turn
            translate_errors(inner, found.spot, problems)
        elif found.union is None:
            _note(found, problems)
        else:
            unions[found.union.path].append(found)
    for group in unions.values():
        _note_union(group, problems)


def _note_union(group: list[_Found], problems: Problems) -> None:
    branches: dict[str, list[_Found]] = defaultdict(list)
    for found in group:
        branches[found.branch].append(found)
    meant = [branch for branch in branches.values() if not any(found.is_wrong_kind for found in branch)]
    if len(meant) > 1:
        meant = [b for b in meant if not any(found.kind in ("missing", "extra_forbidden") for found in b)] or meant
    if len(meant) == 1:
        for found in meant[0]:
            _note(found, problems)
        return
    spot = group[0].union
    if spot is not None and not problems.at(spot.mark):
        forms = described(spot.path)
        text = f"{_quoted(spot)} fits none of its forms{f': {forms}' if forms else ''}"
        problems.add(spot.mark, spot.path, _unquoted(spot) or text)


def _note(found: _Found, problems: Problems) -> None:
    spot = found.spot
    if found.key is not None:
        if not (isinstance(spot.node, Branch) and spot.node.merges):
            problems.add(spot.key_at, spot.path, f"the key {found.key!r} is missing")
    elif found.kind == "extra_forbidden":
        if not problems.at(spot.key_at):
            problems.add(spot.key_at, spot.path, _unknown(spot))
    elif found.is_key:
        problems.add(spot.key_at, spot.path, _own_words(found.error, spot))
    elif not problems.at(spot.mark):
        problems.add(spot.mark, spot.path, _unquoted(spot) or _sentence(found, spot))


def _unknown(spot: Spot) -> str:
    known = known_keys(spot.path[:-1])
    meant = difflib.get_close_matches(spot.key, known, n=1, cutoff=_CLOSE)
    near = f"; did you mean {meant[0]!r}?" if meant else ""
    if not near and (elsewhere := misplaced(spot.key, spot.path)):
        return f"unknown key; {elsewhere}"
    if not near and 0 < len(known) <= 9:
        return f"unknown key; it is one of {', '.join(known)}"
    return f"unknown key{near}"


def _sentence(found: _Found, spot: Spot) -> str:
    context: Mapping[str, Any] = found.error.get("ctx") or {}
    kind = found.kind
    if kind in _WANTED:
        return f"{_quoted(spot)} stands where {_WANTED[kind]} is wanted"
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", str(context.get("expected")))
        if len(choices) == 1:
            return f"{_quoted(spot)} cannot be used; it must be {choices[0]}"
        return f"{_quoted(spot)} is not one of {', '.join(choices)}{did_you_mean(spot.text or '', choices)}"
    if kind in _BOUNDS:
        size, relation, name = _BOUNDS[kind]
        return f"{_quoted(spot)} is {size}; it must be {relation} {_bound(context[name], spot.text or '')}"
    if kind == "value_error":
        return _own_words(found.error, spot)
    if kind in ("too_short", "string_too_short"):
        return "there is nothing in it"
    return "this is not valid here"


def _bound(bound: float, text: str) -> str:
    """Write a bound in the unit of the value that breaks it."""
    if text.endswith("B"):
        return f"{bound / 1024:g}KiB" if bound >= 1024 else f"{bound:g}B"
    if text.endswith(("s", "m", "h", "d")):
        return format_duration(bound) if bound else "0s"
    return f"{bound:g}"


def _own_words(error: ErrorDetails, spot: Spot) -> str:
    """Take the sentence of a validator of ours, which quotes values through ``shown``."""
    text = str((error.get("ctx") or {}).get("error") or "this is not valid here")
    for leaf in _leaves(spot):
        if leaf.redacted != leaf and leaf:
            text = text.replace(repr(str(leaf)), repr(leaf.redacted))
    return text


def _leaves(spot: Spot) -> Iterable[Scalar]:
    if isinstance(spot.node, Leaf):
        return (spot.node.value,)
    return [leaf for _, child in spot.entries() for leaf in _leaves(child)]


def _quoted(spot: Spot) -> str:
    return shown(spot.text) if spot.text is not None else kind_of(spot.node)


def _unquoted(spot: Spot) -> str | None:
    """Say so where YAML read ``{token.x}`` without quotes as a mapping."""
    if not isinstance(spot.node, Branch):
        return None
    meant = unquoted_placeholder(plain(spot.node))
    return f'quote "{meant}": without quotes it is a mapping to YAML' if meant else None
