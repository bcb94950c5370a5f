"""Words of docker compose, kubectl, wscat and websocat lead to ours, with the user's own arguments."""

from __future__ import annotations

import shlex

import pytest

from wscli.cli import main
from wscli.cli.root import VERBS
from wscli.cli.tail import command as tail
from wscli.version import __version__

LEADS = {
    "ps": "status",
    "ps news": "status news",
    "-i app ps news": "-i app status news",
    "-c app.yaml ps": "-c app.yaml status",
    "top": "status --watch",
    "list": "ls",
    "get channels": "status",
    "get channel news": "status news",
    "describe news": "doctor news",
    "attach news": "connect news",
    "subscribe news --json": "tail news --json",
    "publish news hello": "send news hello",
    "run app.yaml": "up -c app.yaml",
    "apply -f app.yaml": "up -c app.yaml",
    "validate app.yaml": "config check -c app.yaml",
    "kill news": "stop news",
    "rm -f news": "stop news",
    "kill": "down",
    "unpause news": "resume news",
    "wss://example.com/ws": "connect wss://example.com/ws",
    "-c wss://example.com/ws": "connect wss://example.com/ws",
    "--connect wss://example.com/ws": "connect wss://example.com/ws",
    "app.yaml": "up -c app.yaml",
    "up app.yaml": "up -c app.yaml",
    "up -d app.yaml": "up -d -c app.yaml",
    "up -f app.yaml -d": "up -c app.yaml -d",
    "-f app.yaml up": "-c app.yaml up",
    "down app.yaml": "down -c app.yaml",
    "reload app.yaml": "reload -c app.yaml",
    "up -d news": "start news",
    "down news": "stop news",
    "logs news": "tail news",
    "logs -f news": "tail -f news",
    "reload news": "restart news",
    "logs --tail 10": "logs --last 10",
    "tail news --lines=10": "tail news --last 10",
    "status --output json": "status --json",
    "status -o json news": "status --json news",
    "status -ojson": "status --json",
    "stats --format=json": "stats --json",
    "ls -o json": "ls --json",
    "-p app status": "-i app status",
    "status -w": "status --watch",
    "status --verbose": "status",
    "send news hello world": "send news 'hello world'",
    "config": "config show",
    "config validate app.yaml": "config check app.yaml",
    "config app.yaml": "config show app.yaml",
    "token list": "token ls",
}


@pytest.mark.parametrize("typed", LEADS)
def test_a_lead_names_our_command_with_the_users_arguments(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(shlex.split(typed)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[1:] == [f"hint: did you mean `wscli {LEADS[typed]}`?"]


def test_every_lead_is_a_command_line_that_parses() -> None:
    for led in LEADS.values():
        words = shlex.split(led)
        verb = next(word for before, word in zip(["", *words], words, strict=False) if word in VERBS and before != "-i")
        assert verb in VERBS


@pytest.mark.parametrize("typed", ["status --frobnicate", "wait", "stats -o yaml", "up -f", "doctor a b", "-o"])
def test_without_a_lead_the_hint_is_the_help(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(shlex.split(typed)) == 2
    hint = capsys.readouterr().err.splitlines()[1]
    assert hint.startswith(("hint: see `wscli ", "hint: did you mean '--"))


@pytest.mark.parametrize("typed", ["wss://me:secret@example.com/?token=secret", "-H 'X: secret' ws://example.com"])
def test_a_lead_shows_no_secret(typed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(shlex.split(typed)) == 2
    assert "secret" not in capsys.readouterr().err


def test_version_and_help_simply_work(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out == f"wscli {__version__}\n"
    for words in ([], ["tail"], ["config", "check"], ["help"]):
        assert main(["help", *words]) == 0
        shown = capsys.readouterr().out
        assert main([*(words if words != ["help"] else []), "--help"]) == 0
        assert capsys.readouterr().out == shown
    assert main(["help", "nothing"]) == 2


@pytest.mark.parametrize(("option", "follows"), [("-f", True), ("--follow", True), ("--no-follow", False)])
def test_tail_f_is_accepted(option: str, follows: bool) -> None:
    assert tail.make_context("tail", [option, "news"]).params["follow"] is follows
