"""docs/commands.md is the commands' own help, and what it says of exit codes is what the program does."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import click

from wscli.cli.root import VERBS, root
from wscli.errors import ExitCode

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "commands.md").read_text()


def test_the_reference_is_the_help_of_today() -> None:
    page = runpy.run_path(str(DOCS / "generate_commands.py"))["page"]
    assert page(TEXT) == TEXT, "run `make docs`"


def test_every_command_and_every_option_is_documented() -> None:
    context = click.Context(root, info_name="wscli")
    for verb in VERBS:
        command = root.get_command(context, verb)
        assert command is not None
        section = re.search(rf"^## {verb}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
        assert section, f"no section on {verb}"
        below = list(command.commands.values()) if isinstance(command, click.Group) else []
        for one in (command, *below):
            for parameter in one.params:
                if isinstance(parameter, click.Option) and not parameter.hidden:
                    assert all(option in section[1] for option in parameter.opts), f"{verb}: {parameter.opts}"


def test_every_exit_code_is_documented() -> None:
    assert [int(code) for code in re.findall(r"^\| (\d+) \| ", TEXT, re.MULTILINE)] == [int(code) for code in ExitCode]
