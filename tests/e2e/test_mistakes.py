"""Every mistake on the command line is a line that says it, a ``hint:``, and the right exit code."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.inline import Here
from tests.processes import COMMAND, Wscli

CONFIG = """
version: 1
name: {name}
endpoints:
  api: {{url: "ws://127.0.0.1:9/"}}
backoff:
  default: {{initial: 10m, max: 10m, jitter: none}}
tokens:
  session: {{value: s3cret}}
  empty: {{env: NOT_SET_ANYWHERE}}
channels:
  feed: {{endpoint: api}}
  rooms/{{id}}: {{endpoint: api, path: "/rooms/{{id}}"}}
"""
INVALID = """
version: 1
endpoint:
  api: {url: "http://127.0.0.1:9/"}
channels:
  feed: {endpoint: api}
"""

USAGE: list[list[str]] = [
    [], ["frob"], ["tial"], ["--frob"], ["-i"], ["-i", "NO NAME", "stats"], ["-i", "one", "-c", "app.yaml", "stats"],
    ["stats", "--frob"], ["ls", "more"], ["down", "more"], ["down", "--timeout", "soon"],
    ["tail"], ["tail", "feed", "--timeout"], ["tail", "feed", "--timeout", "5x"], ["tail", "feed", "--timeout", "-5s"],
    ["tail", "feed", "--timeout", "99999999999999999999s"], ["tail", "feed", "--idle-timeout", "nan"],
    ["tail", "feed", "--since", "yesterday"], ["tail", "feed", "--since", "99999999999999999999d"],
    ["tail", "feed", "--since", "2026-13-45T00:00:00Z"], ["tail", "feed", "--since", "2026-01-01T00:00:00"],
    ["tail", "feed", "--after", "17"], ["tail", "feed", "--after", "k3f9:x"], ["tail", "feed", "--after", "k3f9:-1"],
    ["tail", "feed", "rooms/1", "--after", "k3f9:1"], ["tail", "feed", "--last", "-1"],
    ["tail", "feed", "--last", "few"], ["tail", "feed", "--last", "1", "--since", "1m"],
    ["tail", "feed", "--count", "0"], ["tail", "feed", "--jq", ".["], ["tail", "feed", "--jq", ""],
    ["tail", "feed", "--json", "-0"],
    ["send"], ["send", "feed", "one", "two"], ["send", "feed", "one", "--whole"], ["send", "feed", "--whole", "-0"],
    ["send", "feed", "one", "--timeout", "1e9"],
    ["wait"], ["wait", "feed", "--for", "godot"], ["wait", "feed", "--timeout", "99999999999999999999s"],
    ["status", "--json", "--line"], ["status", "--watch", "--check"], ["logs", "-n", "-1"],
    ["start"], ["stop"], ["restart"], ["pause", "feed", "--noncritical"], ["resume", "feed", "--noncritical"],
    ["token"], ["token", "frob"], ["token", "get"], ["token", "get", "nope"], ["token", "refresh", "nope"],
    ["token", "forget", "nope"],
    ["config"], ["config", "frob"], ["config", "check"], ["config", "check", "app.yaml", "-c", "app.yaml"],
    ["doctor"], ["reload", "more"],
    ["connect"], ["connect", "http://127.0.0.1/"], ["connect", "ws://"],
    ["connect", "ws://127.0.0.1:9/", "-H", "no colon"], ["connect", "feed", "-H", "X: y"],
    ["up"], ["up", "-i", "one"], ["up", "-c", "app.yaml", "--wait"], ["up", "-d", "-c", "app.yaml", "--timeout", "1s"],
    ["demo", "--frob"],
]  # fmt: skip
OTHERWISE: dict[int, list[list[str]]] = {
    3: [
        ["up", "-c", "missing.yaml"], ["up", "-d", "-c", "missing.yaml"], ["up", "-c", "."],
        ["up", "-c", "invalid.yaml"], ["up", "-d", "--wait", "-c", "invalid.yaml"], ["config", "check", "missing.yaml"],
        ["config", "check", "invalid.yaml"], ["config", "show", "invalid.yaml"],
    ],
    1: [["up", "-c", "app.yaml"], ["up", "-c", "namesake.yaml"], ["up", "-d", "-c", "namesake.yaml"]],
    4: [["token", "get", "empty"]],
    5: [
        ["-i", "nope", "stats"], ["stats", "-i", "nope"], ["-c", "missing.yaml", "stats"],
        ["-c", "invalid.yaml", "tail", "feed"],
    ],
    6: [
        ["tail", "nope"], ["tail", ""], ["tail", "fed"], ["tail", "rooms/{id}"], ["tail", "rooms/.."],
        ["tail", "rooms/1/2"], ["tail", "a\nb\x1b[2J"], ["send", "nope", "x"], ["send", "nope"], ["wait", "nope"],
        ["stats", "nope"], ["status", "nope"], ["status", "--watch", "nope"], ["start", "feed", "nope"],
        ["stop", "nope"], ["restart", "nope"], ["pause", "nope"], ["resume", "nope"], ["doctor", "nope"],
        ["doctor", "nope", "--dial"], ["connect", "nope"],
    ],
    7: [["send", "feed", "x", "--timeout", "0"]],
    8: [["connect", "ws://127.0.0.1:9/"], ["wait", "feed", "--for", "paused", "--timeout", "30s"]],
    124: [
        ["wait", "feed", "--timeout", "0"], ["wait", "feed", "--timeout", "100ms"], ["tail", "feed", "--timeout", "0"],
        ["tail", "feed", "--timeout", "100ms"], ["tail", "feed", "--idle-timeout", "100ms"],
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def one() -> Iterator[Wscli]:
    """An instance named ``one``, whose server does not answer."""
    with Wscli() as wscli:
        wscli.file(INVALID, "invalid.yaml")
        wscli.file(CONFIG.format(name="one"), "namesake.yaml")
        with wscli.up(CONFIG.format(name="one")):
            assert wscli("stop", "rooms/stopped").returncode == 6
            yield wscli


def is_said(run: Callable[..., subprocess.CompletedProcess[str]], code: int, *args: str) -> None:
    """Run a command, and hold its stderr to the form of an error."""
    done = run(*args)
    assert done.returncode == code, done.stderr
    assert done.stdout == ""
    notices = ("warning: ", "feed: ")  # a tail says at once that its channel is down
    *said, hint = [line for line in done.stderr.splitlines() if not line.startswith(notices)]
    assert hint.startswith("hint: ")
    assert len(hint) > len("hint: ")
    assert "itself failed" not in done.stderr
    if code == 3:
        assert all(line.split(":")[0].endswith((".yaml", ".")) for line in said), said
    else:
        assert len(said) == 1
        assert said[0].startswith("error: ")
        assert said[0].isprintable()
        first = said[0].split()[1]
        assert not first[0].isupper() or first.isupper(), "a message is lower-case, but for CHANNEL and its like"


@pytest.mark.parametrize("args", USAGE, ids=" ".join)
def test_a_mistaken_command_line_is_2(one: Wscli, here: Here, args: list[str]) -> None:
    is_said(partial(here, one), 2, *args)


@pytest.mark.parametrize(
    ("code", "args"),
    [(code, args) for code, all_args in OTHERWISE.items() for args in all_args],
    ids=lambda value: " ".join(value) if value is list else None,
)
def test_other_mistakes_have_codes_of_their_own(one: Wscli, here: Here, code: int, args: list[str]) -> None:
    run = one if args[0] == "up" else partial(here, one)
    if "paused" in args:
        assert run("stop", "feed").returncode == 0
    is_said(run, code, *args)
    if "paused" in args:
        assert run("start", "feed").returncode == 0


def test_all_errors_of_a_file_are_reported_at_once(one: Wscli) -> None:
    done = one("up", "-c", "invalid.yaml")
    assert len(done.stderr.splitlines()) >= 2
    assert "invalid.yaml:3:1: endpoint: unknown key; did you mean 'endpoints'?" in done.stderr


def test_long_times_and_large_counts_are_no_mistakes(one: Wscli) -> None:
    for args in (
        ["--idle-timeout", "30d", "--timeout", "100ms"],
        ["--idle-timeout", "9999d", "--timeout", "100ms"],
        ["--last", "9" * 30, "--timeout", "100ms"],
        ["--count", "9" * 30, "--timeout", "100ms"],
    ):
        assert one("tail", "feed", *args).returncode == 124, args
    assert one("logs", "-n", "9" * 30).returncode == 0
    assert one("wait", "feed", "--for", "waiting", "--timeout", "9999d").returncode == 0
    assert one("wait", "feed", "--for", "waiting", "--timeout", "0").returncode == 0


def test_send_without_a_message_on_a_terminal_is_2(one: Wscli) -> None:
    ours, theirs = pty.openpty()
    try:
        command = [*COMMAND, "send", "feed"]
        done = subprocess.run(command, stdin=theirs, capture_output=True, text=True, env=one.env, cwd=one.directory)
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 2
    assert done.stderr.startswith("error: MESSAGE is missing, and stdin is a terminal\nhint: ")


def test_no_instance_is_5_and_an_ambiguous_instance_is_2() -> None:
    with Wscli() as wscli:
        is_said(wscli, 5, "stats")
        is_said(wscli, 5, "tail", "feed")
        wscli.file(CONFIG.format(name="first"), "first.yaml")
        wscli.file(CONFIG.format(name="second"), "second.yaml")
        assert wscli("up", "-d", "-c", "first.yaml").returncode == 0
        try:
            assert wscli("stats").returncode == 0
            assert wscli("up", "-d", "-c", "second.yaml").returncode == 0
            try:
                for verb in (["stats"], ["tail", "feed"], ["down"], ["reload"], ["token", "ls"], ["logs"]):
                    is_said(wscli, 2, *verb)
                for chosen in (["-i", "first"], ["-c", "second.yaml"]):
                    assert wscli(*chosen, "stats").returncode == 0
                assert wscli("stats", WSCLI_INSTANCE="second").returncode == 0
                listed = [json.loads(line)["instance"] for line in wscli("ls", "--json").stdout.splitlines()]
                assert listed == ["first", "second"]
            finally:
                assert wscli("down", "-i", "second").returncode == 0
        finally:
            assert wscli("down", "-i", "first").returncode == 0
