"""Regexes that take linear time on any text: each repeat without end is told from what follows by its next character.

``re`` backtracks to each choice that it made. Where the next character decides every choice within a repeat, that fails
at once. A choice outside of repeats may be ambiguous: at most ``_MOST_WAYS`` combinations of those are tried.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import reduce
from importlib import import_module
from operator import or_
from typing import Any, NamedTuple

from wscli.values import shown

__all__ = ["compile_linear_regex"]

_parser: Any = import_module("re._parser")
"""The parser of ``re`` itself, so that both read a regex alike."""
_ANY = (1 << 0x110000) - 1
"""A set of characters is a number with a bit for each; this one has all."""
_END = 1 << 0x110000
_PRINTABLE = (1 << 0x7F) - (1 << 0x20)
_MOST_WAYS = 32
_LONGEST = 1000
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
_CATEGORIES = {
    "DIGIT": "0123456789",
    "SPACE": " \t\n\r\f\v",
    "WORD": "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz",
}

_Items = Sequence[tuple[Any, Any]]


class _First(NamedTuple):
    """How a part of a regex can begin."""

    chars: int
    empty: bool
    """Whether it can match nothing."""

    def then(self, follow: int) -> int:
        """Give what can come next, where ``follow`` can come after it."""
        return self.chars | follow if self.empty else self.chars


def compile_linear_regex(text: str) -> re.Pattern[str]:
    r"""Compile a regex for ``fullmatch``; ``\d``, ``\w`` and ``\s`` are ASCII, and ``(?s)`` is the only flag.

    Raises:
        ValueError: it is invalid, or may take more than linear time.
    """
    try:
        pattern = re.compile(str(text), re.ASCII)
        tree = _parser.parse(str(text), re.ASCII)
        _check(pattern, tree)
    except (re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"invalid regex {shown(text)}: {error}") from None
    except _NotLinear as error:
        raise ValueError(f"regex {shown(text)} may take too long: {error}") from None
    return pattern


class _NotLinear(Exception):
    """Why a regex is refused."""


def _check(pattern: re.Pattern[str], tree: _Items) -> None:
    if pattern.flags & ~(re.ASCII | re.DOTALL):
        raise _NotLinear("'(?s)' is the only flag that can be used")
    if len(pattern.pattern) > _LONGEST:
        raise _NotLinear(f"it is longer than {_LONGEST} characters")
    if _Regex(dot_all=bool(pattern.flags & re.DOTALL)).ways(tree, _END, repeated=False) > _MOST_WAYS:
        raise _NotLinear("too many of its parts can match the same text")


class _Regex:
    """What there is to know about the parts of one regex."""

    def __init__(self, *, dot_all: bool) -> None:
        self._dot = _ANY if dot_all else _ANY ^ _bit(ord("\n"))

    def first(self, items: _Items) -> _First:
        """Look how a sequence can begin."""
        chars = 0
        for name, arg in _named(items):
            part = self._first_of(name, arg)
            chars |= part.chars
            if not part.empty:
                return _First(chars, empty=False)
        return _First(chars, empty=True)

    def _first_of(self, name: str, arg: Any) -> _First:
        if name in _REPEATS:
            body = self.first(arg[2])
            return _First(body.chars, body.empty or arg[0] == 0)
        if name == "BRANCH":
            branches = [self.first(branch) for branch in arg[1]]
            return _First(reduce(or_, (one.chars for one in branches)), any(one.empty for one in branches))
        if name in ("SUBPATTERN", "ATOMIC_GROUP"):
            return self.first(_inside(name, arg))
        return _First(0, empty=True) if name == "AT" else _First(self._chars(name, arg), empty=False)

    def _chars(self, name: str, arg: Any) -> int:
        if name in ("LITERAL", "NOT_LITERAL"):
            return _bit(arg) if name == "LITERAL" else _ANY ^ _bit(arg)
        if name == "ANY":
            return self._dot
        if name == "IN":
            chars = reduce(or_, (_class(kind, one) for kind, one in _named(arg)))
            return _ANY ^ chars if str(arg[0][0]) == "NEGATE" else chars
        raise _NotLinear("there can be no lookaround, backreference or condition")

    def ways(self, items: _Items, follow: int, *, repeated: bool) -> int:
        """Count the ways to try a sequence before something that begins with ``follow``.

        Raises:
            _NotLinear: a choice that is made over and over is not decided by the next character.
        """
        ways, rest = 1, follow
        for name, arg in reversed(list(_named(items))):
            ways = min(ways * self._ways_of(name, arg, rest, repeated), _MOST_WAYS + 1)
            rest = self._first_of(name, arg).then(rest)
        return ways

    def _ways_of(self, name: str, arg: Any, follow: int, repeated: bool) -> int:
        if name in _REPEATS:
            return self._ways_to_repeat(arg, follow, repeated)
        if name in ("SUBPATTERN", "ATOMIC_GROUP"):
            return self.ways(_inside(name, arg), follow, repeated=repeated)
        if name != "BRANCH":
            return 1
        ways = [self.ways(branch, follow, repeated=repeated) for branch in arg[1]]
        starts, same = 0, 0
        for branch in arg[1]:
            start = self.first(branch).then(follow)
            starts, same = starts | start, same | (starts & start)
        if same and repeated:
            raise _NotLinear(f"within a repeat, two alternatives can begin with {_sample(same)}")
        return sum(ways) if same else max(ways)

    def _ways_to_repeat(self, arg: Any, follow: int, repeated: bool) -> int:
        least, most, body = arg
        first = self.first(body)
        same = first.then(follow) & follow
        endless = most >= int(_parser.MAXREPEAT)
        if endless and first.empty:
            raise _NotLinear("a repeat without end may match nothing over and over")
        if same and least < most and (endless or repeated):
            raise _NotLinear(f"a repeat and what follows it can both begin with {_sample(same)}; exclude it from one")
        after = follow if most == 1 else first.chars | follow
        ways = self.ways(body, after, repeated=repeated or endless)
        counts = most - least + 1 if same else 1
        return int(counts) * int(ways ** min(most, _MOST_WAYS))


def _named(items: _Items) -> list[tuple[str, Any]]:
    return [(str(name), arg) for name, arg in items]


def _inside(name: str, arg: Any) -> _Items:
    if name == "SUBPATTERN" and (arg[1] or arg[2]):
        raise _NotLinear("a group cannot have flags")
    inside: _Items = arg[-1] if name == "SUBPATTERN" else arg
    return inside


def _bit(char: int) -> int:
    return 1 << char


def _class(name: str, arg: Any) -> int:
    """Give the characters of an item of ``[...]``."""
    if name == "RANGE":
        return _bit(arg[1] + 1) - _bit(arg[0])
    if name == "CATEGORY":
        _, *negated, category = str(arg).split("_")
        chars = reduce(or_, map(_bit, map(ord, _CATEGORIES[category])))
        return _ANY ^ chars if negated else chars
    return _bit(arg) if name == "LITERAL" else 0


def _sample(chars: int) -> str:
    some = chars & _PRINTABLE or chars
    return "the end" if some == _END else repr(chr((some & -some).bit_length() - 1))
