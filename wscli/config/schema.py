"""The JSON Schema of the file, for editors: from the models, with ``${VAR}`` allowed wherever text is typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import TypeAdapter

from wscli.config.models.file import FileModel
from wscli.values import Duration, Percent, Rate, RateOf, Size, format_duration, format_size

__all__ = ["file_schema"]

_VARIABLE = {"type": "string", "pattern": r"\$\{[^}]+\}", "description": "with ${VAR} of the environment"}
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
        return {**notes, "anyOf": [rest, _VARIABLE]}
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
    if write is not None and default is not None:
        return write(default)
    return None if isinstance(default, (dict, list)) else default
