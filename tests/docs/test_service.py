"""docs/service.md shows the unit of today, and names every verb and option."""

from __future__ import annotations

import re
from pathlib import Path

import click

from wscli.cli.service import command
from wscli.cli.service.units import Service, systemd_unit

TEXT = (Path(__file__).parents[2] / "docs" / "service.md").read_text()
HOME = Path("/home/you")


def test_the_unit_is_the_one_of_today() -> None:
    python = str(HOME / ".venv/bin/python")
    state = HOME / ".local/state/wscli/app.log"
    unit = systemd_unit(Service("app", HOME / "app.yaml", python, HOME / ".config/wscli/app.env", state))
    assert re.findall(r"```ini\n(.*?)```", TEXT, re.DOTALL) == [unit]


def test_every_verb_and_option_is_named() -> None:
    for name, verb in command.commands.items():
        row = re.search(rf"^\| `wscli service {name}.*$", TEXT, re.MULTILINE)
        assert row, name
        own = [one for one in verb.params if isinstance(one, click.Option) and one.expose_value]
        assert all(f"[{option.opts[0]}" in row[0] for option in own), row[0]
