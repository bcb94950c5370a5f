"""The keys at a place in the file and their descriptions, from the schema; loaded only to report a problem."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from wscli.config.reading.nodes import Path

__all__ = ["described", "known_keys", "misplaced"]


@functools.cache
def _schema() -> dict[str, Any]:
    from wscli.config.schema import file_schema

    return file_schema()


def _forms(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A schema and its alternatives, references followed."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        yield from _forms(_schema()["$defs"][name])
    yield schema
    for form in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        yield from _forms(form)


def _below(schema: dict[str, Any], step: str | int) -> Iterator[dict[str, Any]]:
    for form in _forms(schema):
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
    forms = (form for schema in _at(path) for form in _forms(schema))
    return list(dict.fromkeys(key for form in forms for key in form.get("properties", {})))


def described(path: Path) -> str:
    """Give the description of the value at a path, if the schema has one."""
    return next((schema["description"] for schema in _at(path) if "description" in schema), "")


def misplaced(key: str, path: Path) -> str:
    """Name the place of a key that is valid elsewhere, else nothing."""
    homes = {"the top level": (), "an endpoint": ("endpoints", ""), "a channel": ("channels", "")}
    found = [home for home, place in homes.items() if key in known_keys(place)]
    return f"it belongs to {' or '.join(found)}" if found else ""
