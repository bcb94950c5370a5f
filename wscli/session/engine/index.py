"""Channels found by a value in a message: what routes, and rules of channels, look up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from wscli.jsontext import json_key
from wscli.session.engine.parts import ChannelPart, Part
from wscli.session.frames import shown_unit
from wscli.session.plan import SessionPlan
from wscli.templates import Template
from wscli.templates.checks import Check
from wscli.templates.paths import ABSENT, JsonPath
from wscli.templates.shapes import Equality, Shape

__all__ = ["ChannelIndex", "Found", "Routes", "leaf_value", "shown_by"]

_SPACES = ("sub", "param", "with")


class Target(NamedTuple):
    """What of a message a route gives its channels."""

    show: Callable[[Any], Sequence[tuple[bytes, bool]] | None] | None
    """Gives what a message becomes, None where the path has no value; None: it stays as it is."""
    order: JsonPath | None


Found = Sequence[tuple[ChannelPart, Target]]
_WHOLE = Target(None, None)
_NONE: Found = ()


def leaf_value(path: Sequence[Any]) -> Callable[[Any], Any]:
    """Make a function that gives what a message has at the path of a leaf."""
    if len(path) == 1 and isinstance(path[0], str):
        only = path[0]
        return lambda value: value.get(only, ABSENT) if value.__class__ is dict else ABSENT
    return Equality(tuple(path), None).find


class ChannelIndex:
    """Finds the channels whose shape fits a message: by one leaf where there is one, else all of them are looked at.

    Each channel has the shape with its own values filled in; what names no channel's values is looked at once. Where
    the leaf's placeholder has an empty default, a channel without a value may take any message.
    """

    __slots__ = (
        "_by_value", "_common", "_keys", "_leaf", "_matches", "_optional", "_others", "_shape", "_target", "_value",
        "fitting",
    )  # fmt: skip

    def __init__(self, shape: Shape, target: Target = _WHOLE) -> None:
        self._shape = shape
        self._target = target
        self._leaf = _best_leaf(shape.equalities)
        self._optional = self._leaf is None
        self._leaf = self._leaf or _best_leaf(shape.optionals)
        self._value = leaf_value(self._leaf.path) if self._leaf else None
        rest = shape.filled({}, known=self._leaf)
        self._common = None if any(space in _SPACES for space, _ in rest.references) else rest.matches
        """Whether the rest of the shape fits, where it is the same for each channel."""
        self._matches: dict[ChannelPart, Check] = {}
        """Whether it fits a channel, where it is not."""
        self._by_value: dict[Any, list[tuple[ChannelPart, Target]]] = {}
        self._others: list[tuple[ChannelPart, Target]] = []
        self._keys: dict[ChannelPart, Any] = {}
        """Where each channel is entered; ABSENT: among the others."""
        self.fitting = self._finder()
        """Gives the channels whose shape fits, each with the target; called for every message."""

    def place(self, part: ChannelPart) -> None:
        """Enter a channel, or enter it anew once its values changed."""
        self.remove(part)
        key = ABSENT if self._leaf is None else self._leaf.key(part.scope)
        if self._optional or key is not ABSENT:
            if self._common is None:
                known = None if key is ABSENT else self._leaf
                filled = self._shape.filled({space: part.scope[space] for space in _SPACES}, known=known)
                self._matches[part] = filled.matches
            self._entries(key).append((part, self._target))
            self._keys[part] = key

    def watch(self, part: ChannelPart) -> None:
        """Enter a channel, now and whenever one of its values changes."""
        self.place(part)
        for space, name in self._shape.references:
            if space == "sub":
                part.watch(name, lambda: self.place(part))

    def remove(self, part: ChannelPart) -> None:
        """Take a channel out."""
        if part in self._keys:
            key = self._keys.pop(part)
            self._matches.pop(part, None)
            entries = self._entries(key)
            entries[:] = [entry for entry in entries if entry[0] is not part]
            if not entries:
                self._by_value.pop(key, None)

    def _entries(self, key: Any) -> list[tuple[ChannelPart, Target]]:
        return self._others if key is ABSENT else self._by_value.setdefault(key, [])

    def _finder(self) -> Callable[[Any], Found]:
        """Make ``fitting``, whose closure saves the look-ups of attributes."""
        value_of, by_value, others = self._value, self._by_value, self._others
        common, matches = self._common, self._matches

        def fitting(value: Any) -> Found:
            found: Found = others
            if value_of is not None:
                key = value_of(value)
                kind = key.__class__
                if kind is not str and kind is not int:
                    key = key if key is ABSENT else json_key(key)
                own = by_value.get(key)
                if own is not None:
                    found = (*own, *found) if found else own
            if not found:
                return _NONE
            if common is not None:
                return found if common(value, found[0][0].scope) else _NONE
            return [one for one in found if matches[one[0]](value, one[0].scope)]

        return fitting


def _best_leaf(leaves: Sequence[Equality]) -> Equality | None:
    found = [one for one in leaves if isinstance(one.wanted, Template)]
    ranked = [
        (_SPACES.index(next(iter(spaces))), place)
        for place, one in enumerate(found)
        if len(spaces := {space for space, _ in one.wanted.references}) == 1 and spaces <= set(_SPACES)
    ]
    return found[min(ranked)[1]] if ranked else None


class Routes:
    """Whose a message is."""

    __slots__ = ("_all", "_channels", "_upstream", "find")

    find: Callable[[Any], Found]
    """Gives the channels whose message it is, each by the first of its routes that fits."""

    def __init__(self, plan: SessionPlan, upstream: Part, channels: Mapping[str, ChannelPart]) -> None:
        self._upstream = upstream
        self._channels = channels
        self._all = [
            (
                route,
                target := Target(shown_by(route.show or plan.show), route.order),
                ChannelIndex(route.match, target)
                if any(space in _SPACES for space, _ in route.match.references)
                else None,
            )
            for route in plan.route
        ]
        everybody = Target(shown_by(plan.show), None)
        if not self._all:
            self.find = lambda value: [(part, everybody) for part in channels.values()]
        elif len(self._all) == 1 and (index := self._all[0][2]) is not None:
            self.find = index.fitting
        else:
            self.find = self._find

    def place(self, part: ChannelPart) -> None:
        """Enter a channel."""
        for _, _, index in self._all:
            if index is not None:
                index.watch(part)

    def remove(self, part: ChannelPart) -> None:
        """Take a channel out."""
        for _, _, index in self._all:
            if index is not None:
                index.remove(part)

    def _find(self, value: Any) -> Found:
        found: dict[ChannelPart, Target] = {}
        for route, target, index in self._all:
            if index is not None:
                for part, _ in index.fitting(value):
                    found.setdefault(part, target)
            elif route.match.matches(value, self._upstream.scope):
                for part in self._channels.values():
                    found.setdefault(part, target)
        return list(found.items())


def shown_by(path: JsonPath | None) -> Callable[[Any], Sequence[tuple[bytes, bool]] | None] | None:
    """Make the function that gives what ``show`` gives of a message; None: the whole message."""
    if path is None:
        return None
    if path.many:
        each = path.each
        return lambda value: None if (found := each(value)) is None else [shown_unit(one) for one in found]
    get = path.get
    return lambda value: None if (found := get(value)) is ABSENT else (shown_unit(found),)
