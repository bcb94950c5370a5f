"""The JSON Schema of the file, from the models, with ``${VAR}`` allowed wherever text is typed; and the keys in it.

A *place* is a path without the names that a file makes up: the backoff of every channel is at ``channels.backoff``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from wscli.config.models.file import FileModel
from wscli.config.reading.nodes import Path
from wscli.values import Duration, Percent, Rate, RateOf, Size, format_duration, format_size

__all__ = [
    "LEAST_SIMILARITY",
    "VARIABLE_SCHEMA",
    "Key",
    "described",
    "file_schema",
    "forms",
    "hint_for",
    "is_ambiguous",
    "known_keys",
    "place_of",
    "places",
]

VARIABLE_SCHEMA = {"type": "string", "pattern": r"\$\{[^}]+\}", "description": "with ${VAR} of the environment"}
_NAMED = ("properties", "$defs", "patternProperties")
"""Keywords whose mappings have names of the file as keys."""


def file_schema() -> dict[str, Any]:
    """Describe the whole file (draft 2020-12)."""
    schema = _rewritten(FileModel.model_json_schema(mode="validation"))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "wscli configuration", **schema}


def _rewritten(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_rewritten(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    # pydantic's titles are made of names, and editors would show them in place of the descriptions.
    notes = {key: schema[key] for key in ("description", "examples") if key in schema}
    if (default := _written(schema)) is not None:
        notes["default"] = default
    rest = _without_null({key: value for key, value in schema.items() if key not in ("title", "default", *notes)})
    kind = rest.get("type")
    typed = kind in ("integer", "number", "boolean") or (kind == "string" and "pattern" in rest)
    if typed or "enum" in rest or "const" in rest:  # it would refuse the text of a variable
        return {**notes, "anyOf": [rest, VARIABLE_SCHEMA]}
    if "properties" in rest and rest.get("additionalProperties") is False:
        rest["patternProperties"] = {"^x-": {}}
    for key, value in rest.items():
        is_named = key in _NAMED
        rest[key] = {name: _rewritten(item) for name, item in value.items()} if is_named else _rewritten(value)
    return {**notes, **rest, **notes}  # a key's description goes before its type's


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Drop null, which is the default of a key that is left out; a single remaining alternative replaces the list."""
    forms = [form for form in schema.get("anyOf", ()) if form != {"type": "null"}]
    if len(forms) == len(schema.get("anyOf", ())):
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**forms[0], **rest} if len(forms) == 1 else {**rest, "anyOf": forms}


_WRITERS: dict[str, Callable[[Any], str]] = {
    TypeAdapter(kind).json_schema()["pattern"]: write
    for kind, write in (
        (Duration, lambda seconds: format_duration(seconds) if seconds else "0s"),
        (Size, format_size),
        (RateOf, lambda rate: str(Rate(*rate))),
        (Percent, lambda share: f"{share:.0%}"),
    )
}


def _written(schema: dict[str, Any]) -> Any:
    """Give a default as the file would write it; None for a mapping, whose keys have their own."""
    default = schema.get("default")
    forms = [schema, *schema.get("anyOf", ())]
    write = next((_WRITERS[form["pattern"]] for form in forms if form.get("pattern") in _WRITERS), None)
    if write is not None and default is not None and not isinstance(default, str):
        return write(default)
    return None if isinstance(default, (dict, list)) else default


Place = tuple[str, ...]

LEAST_SIMILARITY = 0.7
"""How similar a misspelt key must be: ``session`` is not a misspelt ``compression``."""
_MOST_HINTS = 3


class Key(NamedTuple):
    """A key at its place."""

    place: Place
    schema: dict[str, Any]
    required: bool

    def __str__(self) -> str:
        return ".".join(self.place)


@functools.cache
def _schema() -> dict[str, Any]:
    return file_schema()


def forms(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give a schema and its alternatives, references followed."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        yield from forms(_schema()["$defs"][name])
    yield schema
    for form in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from forms(form)


def _entries(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the schemas of the values of a mapping whose keys are names, and of the items of a list."""
    for form in forms(schema):
        for keyword in ("additionalProperties", "items"):
            if isinstance(entry := form.get(keyword), dict):
                yield entry


def _below(schema: dict[str, Any], step: str | int) -> Iterator[dict[str, Any]]:
    for form in forms(schema):
        below = form.get("items") if isinstance(step, int) else form.get("properties", {}).get(step)
        if below is None and isinstance(step, str):
            below = form.get("additionalProperties")
        if isinstance(below, dict):
            yield below


def _at(path: Path) -> list[dict[str, Any]]:
    found = [_schema()]
    for step in path:
        found = [below for schema in found for below in _below(schema, step)]
    return found


def known_keys(path: Path) -> list[str]:
    """Give the keys that a mapping may have, in the order of the documentation."""
    all_forms = (form for schema in _at(path) for form in forms(schema))
    return list(dict.fromkeys(key for form in all_forms for key in form.get("properties", {})))


def described(path: Path) -> str:
    """Give the description of the value at a path, if the schema has one."""
    return next((schema["description"] for schema in _at(path) if "description" in schema), "")


def place_of(path: Path) -> tuple[Place, Path]:
    """Give the place of a path of a file, as far as it is known, and the rest of the path."""
    place: list[str] = []
    found = [_schema()]
    for number, step in enumerate(path):
        keys = {key for schema in found for form in forms(schema) for key in form.get("properties", {})}
        below = [one for schema in found for one in _below(schema, step)]
        if step in keys and isinstance(step, str):
            place.append(step)
        elif not below:
            return tuple(place), path[number:]
        found = below
    return tuple(place), ()


@functools.cache
def places() -> dict[Place, Key]:
    """Give every key by its place."""
    found: dict[Place, Key] = {}
    _collect(_schema(), (), found)
    return found


def _collect(schema: dict[str, Any], place: Place, found: dict[Place, Key]) -> None:
    for form in forms(schema):
        for name, below in form.get("properties", {}).items():
            if (*place, name) not in found:
                found[*place, name] = Key((*place, name), below, name in form.get("required", ()))
                _collect(below, (*place, name), found)
        for entry in _entries(form):
            _collect(entry, place, found)


def hint_for(paths: Sequence[Path]) -> str:
    """Give the hint of a file's problems: the command that explains the keys of the first ones; none without any."""
    named = dict.fromkeys(_explained(path) for path in paths)
    commands = [f"`wscli explain {one}`" for one in named if one][:_MOST_HINTS]
    if not commands:
        return ""
    return f"see {', '.join(commands[:-1])} and {commands[-1]}" if len(commands) > 1 else f"see {commands[0]}"


def _explained(path: Path) -> str:
    """Write the place of a path, or of the misspelt key at its end, as ``wscli explain`` takes it."""
    place, rest = place_of(path)
    if len(rest) == 1:
        near = get_close_matches(str(rest[0]), known_keys(path[:-1]), 1, cutoff=LEAST_SIMILARITY)
        place = (*place, *near)
    if not place:
        return ""
    return f".{place[0]}" if len(place) == 1 and is_ambiguous(place[0]) else ".".join(place)


def is_ambiguous(name: str) -> bool:
    """Whether a key of the top level is one of a section too; one that is deeper is hardly meant."""
    return sum(place[-1] == name and len(place) <= 2 for place in places()) > 1
