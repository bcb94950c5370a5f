"""docs/tokens.md: its examples load, and no key is missing from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from tests.tokens.test_models import scalars
from wscli.net.proxy import ProxySettings
from wscli.net.tls import TlsSettings
from wscli.tokens.answer import ReadSettings
from wscli.tokens.models import SOURCES, TokenSource
from wscli.tokens.sources.command import CommandSource
from wscli.tokens.sources.http import HttpSource
from wscli.tokens.sources.oauth2 import OAuth2Source

TEXT = (Path(__file__).parents[2] / "docs" / "tokens.md").read_text()


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL))
def test_every_example_loads_and_names_only_its_own_tokens(block: str) -> None:
    declared = yaml.load(block, Loader=yaml.BaseLoader)["tokens"]
    sources = {name: TokenSource.model_validate(scalars(keys)) for name, keys in declared.items()}
    for source in sources.values():
        assert source.references() <= sources.keys()


@pytest.mark.parametrize(
    "model", [TokenSource, ReadSettings, HttpSource, OAuth2Source, CommandSource, TlsSettings, ProxySettings]
)
def test_every_key_is_in_the_text(model: type[BaseModel]) -> None:
    keys = {field.alias or name for name, field in model.model_fields.items()}
    assert {key for key in keys if not re.search(rf"\b{key}\b", TEXT)} == set()


def test_every_source_is_in_the_table() -> None:
    assert all(f"| `{name}` |" in TEXT for name in SOURCES)
