"""``wscli explain``: a key's text, type, default and an example, from the schema."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import TypeAdapter

from wscli.config.schema import LEAST_SIMILARITY, VARIABLE_SCHEMA, Key, forms, is_ambiguous, place_of, places
from wscli.errors import UsageError
from wscli.values import Duration, Percent, RateOf, Size

__all__ = ["example_of", "explain_key"]

_TEXTS = {
    "path": "/news",
    "endpoint": "api",
    "url": "wss://api.example.com/ws",
    "name": "app",
    "ca": "ca.pem",
    "cert": "client.pem",
    "key": "client.key",
    "connect_to": "10.0.0.5:8443",
    "server_name": "api.example.com",
    "dedupe": ".id",
    "jq": ".urgent",
    "env": "API_TOKEN",
    "token": "${GATEWAY_TOKEN}",
    "proxy": "http://proxy.example.com:3128",
    "backoff": "default",
    "client_id": "app",
    "audience": "https://api.example.com",
    "value": "${API_TOKEN}",
    "username": "app",
    "origins": "https://app.example.com",
    "hosts": "app.example.com",
    "exec": "./command",
    "auth": "none",
}
"""Examples of text, by key, where the schema has none."""
_VALUES: Mapping[str, Any] = {
    "proxy.url": "http://proxy.example.com:3128",
    "look_again": "10m",
    "keepalive": {"ping": "20s", "timeout": "20s"},
    "rotate.max_age": "23h",
    "backfill.capture": {"id": ".id"},
    "tokens.oauth2": {
        "token_url": "https://login.example.com/token",
        "client_id": "app",
        "client_secret": "${CLIENT_SECRET}",
    },
    "verdicts": {"4401": "reauth", "5xx": "retry"},
    "endpoints.preset": "slack",
    "session.before": [{"http": {"post": "https://api.example.com/ticket"}, "set": {"ticket": ".ticket"}}],
    "session.bye": [{"send": {"type": "goodbye"}}],
    "hello": [{"send": {"type": "login"}, "expect": {"type": "welcome"}}],
    "session.subscribe": [{"send": {"id": "{ref.uuid}", "type": "subscribe"}, "expect": {"id": "{sent.ref}"}}],
    "session.unsubscribe": [{"send": {"id": "{sub.ref}", "type": "unsubscribe"}}],
    "session.rules": [{"match": {"type": "ping"}, "send": {"type": "pong"}, "drop": True}],
    "session.timers": [{"every": "25s", "do": [{"send": {"type": "ping"}, "expect": {"type": "pong"}}]}],
    "session.resume": {"needs": ["sid"]},
    "do": [{"send": {"type": "ping"}, "expect": {"type": "pong"}}],
    "parse": ["(?P<op>PING|PONG)"],
}
"""Examples by the end of a place, where the schema's own would not be valid there."""
_ENTRIES = {"endpoints": "api", "tokens": "session", "backoff": "default", "channels": "news"}
"""Names in examples, for mappings from names."""
_KINDS = {
    TypeAdapter(kind).json_schema()["pattern"]: words
    for kind, words in (
        (Duration, "a duration, such as 10s or 1m30s"),
        (Size, "a size, such as 64KiB or 1MiB"),
        (Percent, "a percentage, such as 80%"),
        (RateOf, "a rate, such as 5/s or 300/5m"),
    )
}
"""Types of text, by the pattern of the schema."""
_PLAIN = re.compile(r"[A-Za-z0-9_./$-][A-Za-z0-9_./${}:%+-]*")


def explain_key(key: str) -> str:
    """Explain a key, written as in errors: ``channels.backoff``, ``channels.calls.backoff[0]``, ``backoff``.

    A key of several places gives the list of them; one that begins with a dot is of the top level. An empty one gives
    the keys of the top level.

    Raises:
        UsageError: there is no such key.
    """
    if not key:
        return _table("the keys of the top level:", [one for one in places().values() if len(one.place) == 1])
    words = [word for word in re.sub(r"\[\d+\]", "", key).split(".") if word]
    found = _resolve(words, rooted=key.startswith("."))
    if not found:
        raise _unknown(key, words)
    if len(found) > 1:
        return _table(f"{key!r} is a key of {len(found)} places:", found, below="`wscli explain PLACE` explains one")
    return _text(found[0])


def _resolve(words: Sequence[str], *, rooted: bool) -> list[Key]:
    """Give the keys that are meant: the one at this path, names left out or not; else all whose place ends so."""
    exact = places().get(tuple(words))
    ending = [one for place, one in places().items() if place[-len(words) :] == tuple(words)] if words else []
    ending.sort(key=lambda one: len(one.place))
    if exact is not None and (rooted or len(words) > 1 or not is_ambiguous(words[0])):
        return [exact]
    if rooted or ending:
        return [] if rooted else ending
    place, rest = place_of(tuple(words))
    if place and not rest and (place[-1] == words[-1] or not _misspelt(place, words[-1])):  # the last may be a name
        return [places()[place]]
    return []


def _misspelt(place: Sequence[str], word: str) -> str:
    """Give the key directly below a place that a word may be meant as."""
    below = {one.place[-1]: str(one) for one in places().values() if one.place[:-1] == tuple(place)}
    return next((below[near] for near in get_close_matches(word, below, 1, cutoff=LEAST_SIMILARITY)), "")


def _near(words: Sequence[str]) -> str:
    """Give the key that may be meant."""
    if not words:
        return ""
    place, rest = place_of(tuple(words))
    if below := _misspelt(place if rest else words[:-1], words[-1]):
        return below
    known = [str(one) for one in places().values()]
    ends = [one.rpartition(".")[2] for one in known]
    found = get_close_matches(".".join(words), known, 1, LEAST_SIMILARITY) or get_close_matches(
        words[-1], ends, 1, LEAST_SIMILARITY
    )
    return found[0] if found else ""


def _unknown(key: str, words: Sequence[str]) -> UsageError:
    near = _near(words)
    hint = f"did you mean `wscli explain {near}`?" if near else "`wscli explain` lists the keys of the top level"
    return UsageError(f"unknown key: {key!r}", hint)


def _table(title: str, keys: Sequence[Key], below: str = "") -> str:
    names = [_written(one) for one in keys]
    width = max(map(len, names))
    lines = [f"  {name:{width}}  {_description(one)}" for name, one in zip(names, keys, strict=True)]
    return "\n".join([title, *lines, *([below] if below else [])]) + "\n"


def _written(key: Key) -> str:
    """Write a place so that ``explain`` takes it as that one."""
    return f".{key}" if len(key.place) == 1 and is_ambiguous(key.place[0]) else str(key)


def _text(key: Key) -> str:
    lines = [str(key), f"  {_description(key)}", ""]
    lines.append(f"  type:     {_type(key.schema)}")
    lines.append(f"  default:  {_default(key)}")
    lines.append("  example:")
    lines += [f"    {line}" for line in example_of(key).splitlines()]
    below = [one for place, one in places().items() if place[:-1] == key.place]
    if below:
        width = max(len(one.place[-1]) for one in below)
        lines.append("  keys:")
        lines += [f"    {one.place[-1]:{width}}  {_description(one)}" for one in below]
    return "\n".join(lines) + "\n"


def _default(key: Key) -> str:
    default = next((form["default"] for form in forms(key.schema) if "default" in form), None)
    if key.required or default is not None:
        return "required" if key.required else _scalar(default)
    return "see above" if "default: " in _description(key).lower() else "none"


def _description(key: Key) -> str:
    return next((form["description"] for form in (key.schema, *forms(key.schema)) if "description" in form), "")


def _type(schema: dict[str, Any]) -> str:
    found = [_kind(form) for form in forms(schema) if form != VARIABLE_SCHEMA]
    return ", or ".join(dict.fromkeys(filter(None, found))) or "any JSON value"


def _kind(form: dict[str, Any]) -> str:
    kind = form.get("type")
    if "enum" in form or "const" in form:
        values = list(dict.fromkeys(str(value) for value in form.get("enum", [form.get("const")])))
        return "one of " + ", ".join(values) if len(values) > 1 else values[0]
    if kind == "object":
        return "a mapping" if "properties" in form else "a mapping from names"
    if kind == "array":
        return "a list"
    if kind == "string" and "pattern" in form:
        return _KINDS.get(form["pattern"], "text")
    if kind in ("integer", "number"):
        least = max((form[name] for name in ("minimum", "ge", "gt") if name in form), default=None)
        words = "a whole number" if kind == "integer" else "a number"
        return words if least is None else f"{words} of at least {least}"
    if isinstance(kind, list):
        return "text"
    return {"boolean": "true or false", "string": "text"}.get(kind, "") if kind else ""


def example_of(key: Key) -> str:
    """Write the lines of a file in which the key stands."""
    lines, indent, item = [], "", ""
    for depth, step in enumerate(key.place[:-1]):
        lines.append(f"{indent}{item}{step}:")
        indent += "  " * (2 if item else 1)
        if depth == 0 and step in _ENTRIES:
            lines.append(f"{indent}{_ENTRIES[step]}:")
            indent += "  "
        item = "- " if _has_items(places()[key.place[: depth + 1]].schema) else ""
    return "\n".join([*lines, f"{indent}{item}{key.place[-1]}: {_flow(_example(key.place, key.schema))}"])


def _has_items(schema: dict[str, Any]) -> bool:
    """Whether a value is a list of mappings."""
    items = (form["items"] for form in forms(schema) if isinstance(form.get("items"), dict))
    return any("properties" in form for one in items for form in forms(one))


def _example(place: tuple[str, ...], schema: dict[str, Any]) -> Any:
    """Give a value that the key may have."""
    written = ".".join(place)
    for end, value in _VALUES.items():
        if f".{written}".endswith(f".{end}"):
            return value
    found = [form for form in forms(schema) if form != VARIABLE_SCHEMA]
    for form in found:
        if form.get("examples"):
            return form["examples"][0]
    for form in found:
        if "properties" in form:
            return _mapping(place, form)
    for form in found:
        if form.get("default") is not None:
            return form["default"]
    return next((value for form in found if (value := _plain_example(place, form)) is not None), "text")


def _mapping(place: tuple[str, ...], form: dict[str, Any]) -> dict[str, Any]:
    named: list[str] = form.get("required") or next((one["required"] for one in form.get("oneOf", ())), [])
    names = [*named] or list(form["properties"])[:2]
    return {name: _example((*place, name), form["properties"][name]) for name in names}


def _plain_example(place: tuple[str, ...], form: dict[str, Any]) -> Any:
    kind, name = form.get("type"), place[-1]
    if "enum" in form or "const" in form:
        return form.get("enum", [form.get("const")])[0]
    if kind == "object":
        entry = next((one for one in [form.get("additionalProperties")] if isinstance(one, dict)), None)
        return None if entry is None else {_ENTRIES.get(name, "x-name"): _example((*place, ""), entry)}
    if kind == "array":
        return [_TEXTS.get(name, "text")]
    if kind in ("integer", "number"):
        return form.get("minimum", form.get("gt", 0)) + 10
    if kind == "boolean":
        return True
    return None if kind is None else _TEXTS.get(name, "text")


def _flow(value: Any) -> str:
    """Write a value as YAML in one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(name)}: {_flow(one)}" for name, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return (
        text
        if _PLAIN.fullmatch(text) and not text.endswith(":") and "{" not in text
        else json.dumps(text, ensure_ascii=False)
    )
