"""Steps that wait for a message, and which of them a message is for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from wscli.jsontext import json_key
from wscli.session.engine.index import leaf_value
from wscli.session.engine.outgoing import OutgoingMessage
from wscli.session.plan import Alternative, HttpAction, RunAction, Step
from wscli.templates import Scope
from wscli.templates.paths import ABSENT
from wscli.templates.shapes import Equality, Shape

__all__ = ["MOST_REPLIES", "Awaiting", "Replies", "Waits", "next_to_wait"]

_MOST_SEEN = 256
_LARGEST_SEEN = 16 << 10
MOST_REPLIES = 10_000
"""Messages whose reply is awaited on one connection; of more the oldest is forgotten."""
_INDEXED = {"sent", "with", "param"}
_TELLS = {"sent", "msg"}


class Awaiting:
    """A step that waits: its alternatives, and what to call with the answer."""

    __slots__ = ("alternatives", "answer", "entered", "found", "key", "leaf", "scope", "seen")

    def __init__(
        self,
        alternatives: Sequence[Alternative],
        scope: Scope,
        answer: Callable[[Awaiting, Alternative, Any, bytes], None],
    ) -> None:
        self.alternatives = alternatives
        self.scope = scope
        self.answer = answer
        self.found: tuple[Alternative, Any, bytes] | None = None
        """The alternative that fits, with the answer and its bytes."""
        self.leaf = _common_leaf(alternatives)
        self.key: Any = ABSENT
        self.entered = 0
        """Its place among those that wait; 0: it does not."""
        self.seen: list[tuple[Any, bytes]] | None = None
        """What arrived while its alternatives may lack a value; None: they lack none."""

    def remember(self) -> None:
        """Remember what arrives while it lacks a value that it names."""
        names = set().union(*(one.match.references for one in self.alternatives))
        if any(name not in self.scope.get(space, ()) for space, name in names):
            self.seen = []

    def fits(self, value: Any) -> Alternative | None:
        """Give the first alternative that fits."""
        for one in self.alternatives:
            if one.match.matches(value, self.scope):
                return one
        return None


class Waits:
    """The steps of one connection that wait for a message, in the order in which they began to."""

    __slots__ = ("_by_leaf", "_entered", "_others", "count")

    def __init__(self) -> None:
        self.count = 0
        self._entered = 0
        self._others: list[Awaiting] = []
        self._by_leaf: dict[Any, tuple[Callable[[Any], Any], dict[Any, list[Awaiting]]]] = {}

    def enter(self, awaiting: Awaiting) -> None:
        """Have a step wait; one that names a value that is not known yet can be entered again."""
        self.remove(awaiting)
        self._entered += 1
        awaiting.entered = self._entered
        self.count += 1
        awaiting.key = ABSENT if awaiting.leaf is None else awaiting.leaf.key(awaiting.scope)
        self._list(awaiting).append(awaiting)

    def remove(self, awaiting: Awaiting) -> None:
        """Have a step wait no longer."""
        if awaiting.entered:
            awaiting.entered = 0
            self.count -= 1
            found = self._list(awaiting)
            found.remove(awaiting)
            if not found and awaiting.leaf is not None:
                self._by_leaf[awaiting.leaf.path][1].pop(awaiting.key, None)

    def take(self, value: Any, raw: bytes) -> tuple[Awaiting, Alternative] | None:
        """Give the first step that the message is for, which waits no longer."""
        best: tuple[Awaiting, Alternative] | None = None
        for find, by_key in self._by_leaf.values():
            best = _first(by_key.get(json_key(find(value)), ()), value, raw, best)
        best = _first(self._others, value, raw, best)
        if best is not None:
            self.remove(best[0])
        return best

    def look_back(self, awaiting: Awaiting) -> None:
        """Look at what arrived while a value was missing that the step names."""
        seen, awaiting.seen = awaiting.seen, None
        for value, raw in seen or ():
            if (found := awaiting.fits(value)) is not None:
                self.remove(awaiting)
                awaiting.answer(awaiting, found, value, raw)
                return

    def _list(self, awaiting: Awaiting) -> list[Awaiting]:
        if awaiting.leaf is None:
            return self._others
        path = awaiting.leaf.path
        if path not in self._by_leaf:
            self._by_leaf[path] = (leaf_value(path), {})
        return self._by_leaf[path][1].setdefault(awaiting.key, [])


class Replies:
    """The messages of programs that a reply is wanted for."""

    __slots__ = ("_by_key", "_keys", "_leaf", "_shape", "_value", "count")

    def __init__(self, shape: Shape | None) -> None:
        self.count = 0
        self._shape = shape
        leaves = () if shape is None else shape.equalities
        self._leaf = next((leaf for leaf in leaves if _TELLS & leaf.spaces), None)
        self._value = None if self._leaf is None else leaf_value(self._leaf.path)
        self._by_key: dict[Any, tuple[OutgoingMessage, Scope]] = {}
        self._keys: dict[OutgoingMessage, list[Any]] = {}

    def enter(self, message: OutgoingMessage, scope: Scope) -> None:
        """Wait for the reply to a message; of too many the oldest is forgotten."""
        if self._leaf is None:
            return
        keys = self._keys[message] = []
        for ref in message.ref if isinstance(message.ref, tuple) else (message.ref,):
            told = {**scope, "sent": {"ref": ref}, "msg": message.said}
            keys.append(self._leaf.key(told))
            self._by_key[keys[-1]] = (message, told)
        while len(self._by_key) > MOST_REPLIES:
            self.forget(self._by_key.pop(next(iter(self._by_key)))[0])
        self.count = len(self._by_key)

    def take(self, value: Any) -> OutgoingMessage | None:
        """Give the message whose reply it is, or the batch that one of a list replies to; None: it is none."""
        message = self._asked(value)
        if message is None and isinstance(value, list):
            found = (one for one in map(self._asked, value) if one is not None)
            message = next((one for one in found if isinstance(one.own_id, tuple)), None)
        if message is not None:
            self.forget(message)
        return message

    def _asked(self, value: Any) -> OutgoingMessage | None:
        if self._value is None or self._shape is None:
            return None
        message, scope = self._by_key.get(json_key(self._value(value)), (None, {}))
        return message if message is not None and self._shape.matches(value, scope) else None

    def forget(self, message: OutgoingMessage) -> None:
        """Wait for the reply no longer."""
        for key in self._keys.pop(message, ()):
            if self._by_key.get(key, (None,))[0] is message:
                del self._by_key[key]
        self.count = len(self._by_key)


def next_to_wait(later: Sequence[Step]) -> tuple[Step, bool] | None:
    """Give the first of some steps that waits for a message, unless one before it may be skipped or takes its time.

    With it goes whether ``{sent.ref}`` is of a message that one of these steps sends.
    """
    sent_anew = False
    for step in later:
        if step.when or isinstance(step.action, (HttpAction, RunAction)):
            return None
        sent_anew = sent_anew or step.action is not None
        if step.waits:
            return step, sent_anew
    return None


def _first(
    some: Sequence[Awaiting], value: Any, raw: bytes, best: tuple[Awaiting, Alternative] | None
) -> tuple[Awaiting, Alternative] | None:
    for one in some:
        if best is not None and best[0].entered < one.entered:
            break
        found = one.fits(value)
        if found is not None:
            return one, found
        if one.seen is not None and len(one.seen) < _MOST_SEEN and len(raw) <= _LARGEST_SEEN:
            one.seen.append((value, raw))
    return best


def _common_leaf(alternatives: Sequence[Alternative]) -> Equality | None:
    """Give a leaf with the same place and template in each alternative, so that one look-up finds the step."""
    for leaf in alternatives[0].match.equalities if alternatives else ():
        if _indexed(leaf) and all(leaf in one.match.equalities for one in alternatives[1:]):
            return leaf
    return None


def _indexed(leaf: Equality) -> bool:
    return bool(names := leaf.spaces) and names <= _INDEXED
