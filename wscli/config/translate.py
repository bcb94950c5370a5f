"""Report pydantic's errors with their places and in plain sentences."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from wscli.config.reading.located import Located
from wscli.config.reading.nodes import Branch, Path, kind_of, plain
from wscli.config.reading.problems import FileProblems
from wscli.config.schema import LEAST_SIMILARITY, described, known_keys
from wscli.templates import did_you_mean, unquoted_placeholder
from wscli.values import format_duration, shown

__all__ = ["report_errors"]

_WANTED = {
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type", "mapping_type"), "a mapping"),
    **dict.fromkeys(("list_type", "tuple_type"), "a list"),
    "string_type": "text",
}
_BOUNDS = {
    "greater_than": ("too small", "above", "gt"),
    "greater_than_equal": ("too small", "at least", "ge"),
    "less_than": ("too large", "below", "lt"),
    "less_than_equal": ("too large", "at most", "le"),
}


class _LocatedError:
    """One error with its node; the parts of its path that name no node are branches of a union."""

    def __init__(self, error: ErrorDetails, root: Located) -> None:
        self.error = error
        self.kind = error["type"]
        self.key: str | None = None
        path: Path = error["loc"]
        self.is_key = path[-1:] == ("[key]",)
        if self.is_key:
            path = path[:-1]
        if self.kind == "missing":
            self.key, path = str(path[-1]), path[:-1]
        self.located, rest = root.follow(path)
        self.union: Located | None = None
        self.branch = ""
        while rest:
            if self.union is None:
                self.union, self.branch = self.located, str(rest[0])
            self.located, rest = self.located.follow(rest[1:])

    @property
    def is_wrong_kind(self) -> bool:
        """Whether this branch of the union cannot be the intended one."""
        whole = self.kind in _WANTED or self.kind == "literal_error"
        scalar = self.kind == "value_error" and isinstance(self.located.node, Branch)  # of a type that takes text
        return self.located is self.union and (whole or scalar)


def report_errors(error: ValidationError, root: Located, problems: FileProblems) -> None:
    """Report each error in one line; of a union, the errors of the intended branch."""
    unions: dict[Path, list[_LocatedError]] = defaultdict(list)
    for details in error.errors(include_url=False, include_input=False):
        found = _LocatedError(details, root)
        inner = (details.get("ctx") or {}).get("error")
        if isinstance(inner, ValidationError):  # of a nested validation
            report_errors(inner, found.located, problems)
        elif found.union is None:
            _note(found, problems)
        else:
            unions[found.union.path].append(found)
    for group in unions.values():
        _note_union(group, problems)


def _note_union(group: list[_LocatedError], problems: FileProblems) -> None:
    branches: dict[str, list[_LocatedError]] = defaultdict(list)
    for found in group:
        branches[found.branch].append(found)
    meant = [branch for branch in branches.values() if not any(found.is_wrong_kind for found in branch)]
    if len(meant) > 1:
        meant = [b for b in meant if not any(found.kind in ("missing", "extra_forbidden") for found in b)] or meant
    if len(meant) == 1:
        for found in meant[0]:
            _note(found, problems)
        return
    located = group[0].union
    if located is not None and not problems.at(located.mark):
        forms = described(located.path)
        text = f"invalid value: {_quoted(located)}{f'; allowed: {forms}' if forms else ''}"
        problems.add(located.mark, located.path, _unquoted(located) or text)


def _note(found: _LocatedError, problems: FileProblems) -> None:
    located = found.located
    if found.key is not None:
        if not (isinstance(located.node, Branch) and located.node.merges):
            problems.add(located.key_at, located.path, f"the key {found.key!r} is missing")
    elif found.kind == "extra_forbidden":
        if not problems.at(located.key_at):
            problems.add(located.key_at, located.path, _unknown(located))
    elif found.is_key:
        problems.add(located.key_at, located.path, _own_words(found.error, located))
    elif not problems.at(located.mark):
        problems.add(located.mark, located.path, _unquoted(located) or _sentence(found, located))


def _unknown(located: Located) -> str:
    known = known_keys(located.path[:-1])
    near = did_you_mean(located.key, known, cutoff=LEAST_SIMILARITY)
    if not near and (elsewhere := _misplaced(located.key)):
        near = f"; {elsewhere}"
    elif not near and 0 < len(known) <= 9:
        near = f"; it is one of {', '.join(known)}"
    return f"unknown key{near}"


def _sentence(found: _LocatedError, located: Located) -> str:
    context: Mapping[str, Any] = found.error.get("ctx") or {}
    kind = found.kind
    if kind in _WANTED:
        return f"must be {_WANTED[kind]}, not {_quoted(located)}"
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", str(context.get("expected")))
        if len(choices) == 1:
            return f"must be {choices[0]}, not {_quoted(located)}"
        return f"must be one of {', '.join(choices)}, not {_quoted(located)}{did_you_mean(located.text or '', choices)}"
    if kind in _BOUNDS:
        size, relation, name = _BOUNDS[kind]
        return f"{_quoted(located)} is {size}; it must be {relation} {_bound(context[name], located.text or '')}"
    if kind == "value_error":
        return _own_words(found.error, located)
    if kind in ("too_short", "string_too_short"):
        return "must not be empty"
    return "invalid value"


def _bound(bound: float, text: str) -> str:
    """Write a bound in the unit of the value that breaks it."""
    if text.endswith("B"):
        return f"{bound / 1024:g}KiB" if bound >= 1024 else f"{bound:g}B"
    if text.endswith(("s", "m", "h", "d")):
        return format_duration(bound) if bound else "0s"
    return f"{bound:g}"


def _own_words(error: ErrorDetails, located: Located) -> str:
    """Take the sentence of our own validator, which quotes values through ``shown``."""
    text = str((error.get("ctx") or {}).get("error") or "invalid value")
    for leaf in filter(None, (leaf.text for leaf in located.leaves())):
        if leaf.redacted != leaf:
            text = text.replace(repr(str(leaf)), repr(leaf.redacted))
    return text


def _quoted(located: Located) -> str:
    return shown(located.text) if located.text is not None else kind_of(located.node)


def _unquoted(located: Located) -> str | None:
    """Report ``{token.x}`` without quotes, which YAML reads as a mapping."""
    if not isinstance(located.node, Branch):
        return None
    meant = unquoted_placeholder(plain(located.node))
    return f'quote "{meant}": without quotes it is a mapping to YAML' if meant else None


def _misplaced(key: str) -> str:
    """Name the place of a key that is valid elsewhere, else nothing."""
    homes = {"the top level": (), "an endpoint": ("endpoints", ""), "a channel": ("channels", "")}
    homes["a session"] = ("endpoints", "", "session")
    found = [home for home, place in homes.items() if key in known_keys(place)]
    return f"it belongs to {' or '.join(found)}" if found else ""
