"""The JSON Schema agrees with what loads."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from wscli.config.schema import file_schema

SCHEMA = file_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def properties(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(schema, dict):
        for name, item in schema.get("properties", {}).items():
            yield f"{path}.{name}", item
        for key, item in schema.items():
            yield from properties(item, f"{path}.{key}")
    elif isinstance(schema, list):
        for item in schema:
            yield from properties(item, path)


def test_it_is_a_schema_of_its_draft() -> None:
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    ("path", "schema"), list(properties(SCHEMA)), ids=lambda value: value if type(value) is str else ""
)
def test_every_key_is_described(path: str, schema: dict[str, Any]) -> None:
    assert len(schema.get("description", "")) > 3, path


def test_there_is_no_null() -> None:
    """``null`` in a file is an error, and an editor should say so."""
    assert "'null'" not in str(SCHEMA)


GOOD = {
    "channel": "endpoints: {a: {url: ws://h}}\n"
    "channels: {c: {endpoint: a, history: {keep: 5}, linger: 1m30s, critical: false}}",
    "variable": "endpoints: {a: {url: ws://h, max_message: '${M:-1MiB}', query: {v: 2}}}\nchannels: {c: {endpoint: a}}",
    "none": "endpoints: {a: {url: ws://h, keepalive: none, proxy: none, verdicts: {5xx: {retry: 5s}}}}\n"
    "channels: {c: {endpoint: a}}",
    "tokens": "tokens:\n  t: {command: [a, b]}\n  u: {command: {run: [a]}}\n"
    "  v: {oauth2: {token_url: http://h, client_id: a, client_secret: b}}",
    "backoff": "backoff: {slow: {give_up: {attempts: 3}, multiplier: 1.5}}\n"
    "endpoints: {a: {url: ws://h, backoff: slow}}\nchannels: {c: {endpoint: a, backoff: {give_up: never}}}",
}
BAD = [
    "chanels: {}",
    "endpoints: {a: {}}",
    "endpoints: {a: {url: ws://h, max_message: 1MB}}",
    "endpoints: {a: {url: ws://h, keepalive: sometimes}}",
    "endpoints: {a: {url: ws://h, verdicts: {4401: perhaps}}}",
    "endpoints: {a: {url: ws://h}}\nchannels: {c: {endpoint: a, critical: maybe}}",
    "tokens: {t: {value: a, env: B}}",
    "tokens: {t: {}}",
    "version: 2",
    "name:",
]


def as_an_editor_reads(text: str) -> Any:
    """YAML's own types, with text for keys."""
    return json.loads(json.dumps(yaml.safe_load(text)))


@pytest.mark.parametrize("name", GOOD)
def test_what_loads_is_valid(name: str, loads: Callable[..., Any]) -> None:
    loads(GOOD[name])
    VALIDATOR.validate(as_an_editor_reads(GOOD[name]))


@pytest.mark.parametrize("text", BAD)
def test_what_is_invalid_does_not_load(text: str, refuses: Callable[..., Any]) -> None:
    assert refuses(text)
    assert not VALIDATOR.is_valid(as_an_editor_reads(text))


def test_defaults_are_written_as_in_the_file() -> None:
    defaults = {path.rsplit(".", 1)[-1]: item["default"] for path, item in properties(SCHEMA) if "default" in item}
    assert defaults["max_message"] == "1MiB"
    assert defaults["rate"] == "10/s"
    assert defaults["linger"] == "5s"
    assert defaults["refresh"] == "80%"
    assert defaults["store"] == "memory"
