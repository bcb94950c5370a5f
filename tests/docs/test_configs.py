"""Every file of configs/ loads, fits the schema, and together they show every key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from wscli.config.loading import load
from wscli.config.schema import file_schema

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
SCHEMA = file_schema()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """What the files ask for, and have no default for."""
    pem = tmp_path / "client.pem"
    pem.touch()
    files = dict.fromkeys(("COMPANY_CA", "CLIENT_CERT", "CLIENT_KEY"), str(pem))
    return files | dict.fromkeys(("API_KEY", "GATEWAY_TOKEN", "PROXY_PASSWORD", "CI_CLIENT_SECRET"), "secret")


def test_there_are_some() -> None:
    assert {"demo.yaml", "minimal.yaml"} < {file.name for file in CONFIGS}


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.name)
def test_it_says_what_it_is_for_fits_the_schema_and_loads_without_warnings(file: Path, environ: dict[str, str]) -> None:
    assert file.read_text().startswith("#")
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(json.dumps(yaml.safe_load(file.read_text()))))
    plan = load(file, environ)
    assert plan.channels
    assert plan.warnings == ()


def test_the_demo_is_on_its_own_server_and_port() -> None:
    plan = load(next(file for file in CONFIGS if file.name == "demo.yaml"), {})
    assert set(plan.channels) == {"notifications", "consultations/{id}", "calls"}
    assert {channel.upstream.dial.url.reveal() for channel in plan.channels.values()} == {"ws://127.0.0.1:8790/ws"}
    assert plan.channels["consultations/{id}"].linger == 30.0
    assert not plan.channels["calls"].critical
    moved = load(plan.file, {"WSCLI_DEMO_PORT": "9000"})
    assert {channel.upstream.dial.url.reveal() for channel in moved.channels.values()} == {"ws://127.0.0.1:9000/ws"}


def mappings(tree: Any) -> Iterator[dict[Any, Any]]:
    """Give every mapping at any depth."""
    if isinstance(tree, dict):
        yield tree
    for item in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from mappings(item)


def test_together_they_show_every_key() -> None:
    trees = [yaml.safe_load(file.read_text()) for file in CONFIGS]
    shown = {str(key) for tree in trees for mapping in mappings(tree) for key in mapping}
    declared = {key for schema in mappings(SCHEMA) for key in schema.get("properties", {})}
    assert declared - shown == set()
