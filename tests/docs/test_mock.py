"""docs/mock.md names every option, and the figures that hold."""

from __future__ import annotations

import re
from pathlib import Path

import click

from wscli.cli.mock import command

TEXT = (Path(__file__).parents[2] / "docs" / "mock.md").read_text()


def test_every_option_is_in_the_table_and_no_other() -> None:
    rows = re.findall(r"^\| `(-.*?)` \| \S", TEXT, re.MULTILINE)
    named = [option for row in rows for option in re.findall(r"(?<![\w-])--?[a-z]+", row)]
    assert sorted(named) == sorted(
        option for one in command.params if isinstance(one, click.Option) for option in one.opts
    )


def test_the_place_that_it_names_is_the_default() -> None:
    default = next(one.default for one in command.params if one.name == "address")
    assert f"by default `{default}`" in TEXT
