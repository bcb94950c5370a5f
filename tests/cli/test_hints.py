"""Hints can be followed as they stand: their commands parse, and are for the instance of the command that failed."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import click
import pytest

from tests.cli.commands import Cli, cli
from wscli.cli.errors import hint_of_selection
from wscli.cli.reload import apply_file
from wscli.cli.root import VERBS, root
from wscli.control.client import ManagerConnection
from wscli.control.environment import digest_variables
from wscli.control.paths import Instance
from wscli.control.protocol import encode_line, greeting
from wscli.errors import WscliError

__all__ = ["cli"]

SOURCES = sorted((Path(__file__).parents[2] / "wscli").rglob("*.py"))
COMMAND = re.compile(r"`wscli ([^`]*)`")
FILLED = {"FILE": "app.yaml", "CHANNEL": "news", "URL": "ws://example.com", "NAME": "app", "ID": "1"}
STATEMENTS = ("connect",)
"""Commands that a text is about, without being followed."""


def _filled(part: ast.expr) -> str:
    """A part of an f-string; what is filled in at run time is a name, or a number where it is formatted as one."""
    if isinstance(part, ast.Constant):
        return str(part.value)
    return "7" if isinstance(part, ast.FormattedValue) and part.format_spec is not None else "news"


def hints() -> list[str]:
    """Every command in a text of the program but for its docstrings."""
    found = []
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        docs = {
            one.value.value
            for one in ast.walk(tree)
            if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant)
        }
        for node in ast.walk(tree):
            text = ""
            if isinstance(node, ast.JoinedStr):
                text = "".join(map(_filled, node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value not in docs:
                text = node.value
            found += [command for command in COMMAND.findall(text) if command not in STATEMENTS]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("command", hints())
def test_the_commands_that_texts_name_parse_and_are_complete(command: str) -> None:
    words = [FILLED.get(word, word) for word in shlex.split(command)]
    if words[0] not in VERBS:
        return  # filled at run time
    context = root.make_context("wscli", [], resilient_parsing=True)
    verb: click.Command | None = root
    while isinstance(verb, click.Group):
        verb = verb.get_command(context, words.pop(0))
    assert verb is not None, f"`wscli {command}` names no command"
    verb.make_context(verb.name, words, parent=context)  # raises where an argument is missing or an option unknown


@pytest.mark.parametrize(
    ("hint", "followed"),
    [
        ("`wscli start news` opens it again", "`wscli -i app start news` opens it again"),
        ("`wscli status` says why; `wscli logs` more", "`wscli -i app status` says why; `wscli -i app logs` more"),
        ("did you mean `wscli -i app status`?", "did you mean `wscli -i app status`?"),
        ("see `wscli status -h`", "see `wscli status -h`"),
        ("`wscli ls` lists them", "`wscli ls` lists them"),
        ("start one with `wscli up -d -c FILE`", "start one with `wscli up -d -c FILE`"),
    ],
)
def test_a_hint_is_for_the_instance_of_the_command(hint: str, followed: str) -> None:
    assert hint_of_selection(hint, "app", None) == followed
    assert hint_of_selection(hint, None, None) == hint
    assert hint_of_selection("`wscli stop a` ends it", None, "my app.yaml") == "`wscli -c 'my app.yaml' stop a` ends it"


async def test_a_hint_of_the_manager_is_for_its_instance(cli: Cli) -> None:
    cli.served.calls.stop()
    result = await cli("-i", "app", "send", "calls", "m")
    assert (result.code, result.err.splitlines()[1]) == (8, "hint: `wscli -i app start calls` opens it again")
    followed = await cli("-i", "app", "start", "calls")
    assert followed.code == 0


def test_a_manager_that_went_is_started_with_its_own_file() -> None:
    import socket

    ours, theirs = socket.socketpair()
    theirs.close()
    instance = Instance("app", "/srv/my app.yaml", 1, "/run")
    with pytest.raises(WscliError) as raised, ManagerConnection(instance, ours) as client:
        client.request("stats", timeout=1.0)
    assert raised.value.hint == "`wscli ls` lists it if it runs; `wscli up -d -c '/srv/my app.yaml'` starts it"


def test_a_hint_to_start_a_manager_again_quotes_its_file(capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    ours, theirs = socket.socketpair()
    answer = {"ok": True, "result": {"kept": [], "environment": digest_variables({"KEY": "other"})}}
    theirs.sendall(encode_line({**greeting(), **answer}))
    with theirs, ManagerConnection(Instance("app", "/srv/my app.yaml", 1, "/run"), ours) as client:
        apply_file(client, ignore_unset=False)
    assert "`wscli up -d -c '/srv/my app.yaml'` applies" in capsys.readouterr().err
