"""Every file of configs/ loads, fits the schema, and together they show every key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from wscli.config import json_schema, load

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
SCHEMA = json_schema()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """What the files ask for, and have no default for."""
    pem = tmp_path / "client.pem"
    pem.touch()
    return {
        "API_KEY": "key",
        "COMPANY_CA": str(pem),
        "CLIENT_CERT": str(pem),
        "CLIENT_KEY": str(pem),
        "GATEWAY_TOKEN": "token",
        "PROXY_PASSWORD": "password",
        "CI_CLIENT_SECRET": "secret",
    }


def test_there_are_some() -> None:
    assert {"demo.yaml", "minimal.yaml"} < {file.name for file in CONFIGS}


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.name)
def test_it_loads_without_warnings(file: Path, environ: dict[str, str]) -> None:
    plan = load(file, environ)
    assert plan.channels
    assert plan.warnings == ()


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.name)
def test_it_fits_the_schema(file: Path) -> None:
    tree = json.loads(json.dumps(yaml.safe_load(file.read_text())))
    jsonschema.Draft202012Validator(SCHEMA).validate(tree)


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.name)
def test_it_says_what_it_is_for(file: Path) -> None:
    assert file.read_text().startswith("#")


def test_the_demo_is_on_its_own_server_and_port() -> None:
    plan = load(next(file for file in CONFIGS if file.name == "demo.yaml"), {})
    assert set(plan.channels) == {"notifications", "consultations/{id}", "calls"}
    assert {channel.upstream.dial.url.reveal() for channel in plan.channels.values()} == {"ws://127.0.0.1:8790/ws"}
    assert plan.channels["consultations/{id}"].linger == 30.0
    assert not plan.channels["calls"].critical
    moved = load(plan.file, {"WSCLI_DEMO_PORT": "9000"})
    assert {channel.upstream.dial.url.reveal() for channel in moved.channels.values()} == {"ws://127.0.0.1:9000/ws"}


def keys_of_schema(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for item in schema.values():
            yield from keys_of_schema(item)
    elif isinstance(schema, list):
        for item in schema:
            yield from keys_of_schema(item)


def keys_of_tree(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        for key, item in tree.items():
            yield str(key)
            yield from keys_of_tree(item)
    elif isinstance(tree, list):
        for item in tree:
            yield from keys_of_tree(item)


def test_together_they_show_every_key() -> None:
    shown = {key for file in CONFIGS for key in keys_of_tree(yaml.safe_load(file.read_text()))}
    assert set(keys_of_schema(SCHEMA)) - shown == set()
