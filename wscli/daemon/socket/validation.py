"""The one reader of requests: it checks their arguments against the types of ``control.requests``.

A handler's annotation of its second parameter says which types it takes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from types import NoneType
from typing import Annotated, Any, Literal, NotRequired, cast, get_args, get_origin, get_type_hints, is_typeddict

from wscli.control.protocol import ProtocolError
from wscli.control.requests import BlockLine, OutcomesLine

__all__ = ["read_block", "read_request", "request_types"]


@lru_cache
def request_types(handler: Callable[..., Any]) -> tuple[Any, ...]:
    """Return the types of requests that a handler takes; where there are several, ``action`` tells them apart.

    Empty for a handler that takes any arguments.
    """
    _, hint, *_ = get_type_hints(handler).values()
    return tuple(one for one in get_args(hint) or (hint,) if is_typeddict(one))


def read_request(verb: str, args: object, handler: Callable[..., Any]) -> Any:
    """Validate a request's arguments and return them, of one of the handler's `request_types`.

    Raises:
        ProtocolError: they are not an object, a key is unknown or missing, or a value has the wrong type.
    """
    if not isinstance(args, dict):
        raise ProtocolError("the arguments must be a JSON object", "'args' is an object, {} where there are none")
    types = request_types(handler)
    if len(types) > 1:
        return _checked(verb, args, _of_action(verb, args.get("action"), types))
    return _checked(verb, args, types[0]) if types else args


def read_block(verb: str, line: dict[str, Any]) -> BlockLine | OutcomesLine:
    """Validate a line between two blocks of `send` or `queue`: a `BlockLine`, or for ``queue`` an `OutcomesLine`."""
    kind = OutcomesLine if verb == "queue" and "outcomes" in line else BlockLine
    return cast("BlockLine | OutcomesLine", _checked(verb, line, kind))


def _of_action(verb: str, action: object, types: tuple[Any, ...]) -> Any:
    actions = {name: one for one in types for name in get_args(_fields(one)["action"])}
    if not isinstance(action, str) or action not in actions:
        raise ProtocolError(f"invalid action: {str(action)[:40]!r}", f"actions of {verb!r}: {', '.join(actions)}")
    return actions[action]


def _checked(verb: str, args: dict[str, Any], kind: Any) -> dict[str, Any]:
    fields = _fields(kind)
    hint = f"arguments of {verb!r}: {', '.join(fields) or 'none'}"
    for key, value in args.items():
        if key not in fields:
            raise ProtocolError(f"unknown argument {key[:40]!r}", hint)
        fits, words = _rule(fields[key])
        if not fits(value):
            shown = f", not {value[:40]!r}" if isinstance(value, str) and get_origin(fields[key]) is Literal else ""
            raise ProtocolError(f"argument {key!r} must be {words}{shown}", hint)
    for key in sorted(kind.__required_keys__):
        if key not in args:
            raise ProtocolError(f"argument {key!r} is missing: it must be {_rule(fields[key])[1]}", hint)
    return args


@lru_cache
def _fields(kind: Any) -> dict[str, Any]:
    """Return the type of each key, without ``NotRequired``."""
    hints = get_type_hints(kind, include_extras=True)
    return {key: get_args(hint)[0] if get_origin(hint) is NotRequired else hint for key, hint in hints.items()}


_PLAIN = {str: "text", bool: "true or false", NoneType: "null"}


@lru_cache
def _rule(hint: Any) -> tuple[Callable[[Any], bool], str]:
    """Return a check whether a value is of a type, and the type's description."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return inner[1], inner[2]
    if origin is Literal:
        return lambda value: isinstance(value, str) and value in inner, f"one of {', '.join(inner)}"
    if origin is list:
        of_one, _ = _rule(inner[0])
        return lambda value: isinstance(value, list) and all(map(of_one, value)), "a list of names"
    if origin is dict:
        of_one, _ = _rule(inner[1])
        words = "an object that maps names to text"
        return lambda value: isinstance(value, dict) and all(map(of_one, value.values())), words
    if hint in _PLAIN:
        return lambda value: type(value) is hint, _PLAIN[hint]
    rules = [_rule(one) for one in inner]  # of a union
    return lambda value: any(fits(value) for fits, _ in rules), " or ".join(words for _, words in rules)
