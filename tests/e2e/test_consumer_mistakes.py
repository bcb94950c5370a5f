"""Names, cursors and jq expressions that cannot be: one clear error with its exit code, and nothing is lost for it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from subprocess import CompletedProcess

import pytest

from tests.client.scene import Scene, scene
from tests.inline import Here
from tests.waiting import with_more_time

NAMES = ["", ".", "..", ".a", "-a", "a/b", "../a", "a b", "a\n", "a\x1b[2J", "é", "\udce9", "x" * 65, "x" * 9_000]
CURSORS = [
    "-3", "17", ":17", "x:-1", "k3f9:-1", "k3f9:", "k3f9:1.5", "k3f9:\u0661", "", "k3f9:" + "9" * 20, "K3F9:1",
    "x" * 9_000,
]  # fmt: skip
BROKEN = [".[", "", "nothing_of_this_name", "$x", 'include "x"; .', ". |"]


@pytest.fixture(scope="module")
def running() -> Iterator[Scene]:
    """A channel with five messages, ``{"n": 0}`` to ``{"n": 4}``."""
    with scene() as made:
        made.manager.wait_for("kept")
        assert made.command("send", "kept", '{"burst": 5}').returncode == 0
        made.manager.until_stats(lambda stats: bool(stats["channels"]["kept"]["committed"] == 5))
        yield made


def consumers(running: Scene) -> dict[str, int]:
    """How far each is."""
    return {name: one["seq"] for name, one in running.manager.stats()["channels"]["kept"]["consumers"].items()}


def one_error(done: CompletedProcess[str], code: int) -> str:
    """The one line of an error, which has a hint."""
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    error, hint = done.stderr.splitlines()
    assert error.startswith("error: ")
    assert hint.startswith("hint: ")
    assert done.stderr.replace("\n", "").isprintable()
    assert len(done.stderr) < 500
    return error


@pytest.mark.parametrize("name", NAMES)
def test_an_invalid_consumer_name_is_refused_by_every_verb(running: Scene, here: Here, name: str) -> None:
    for args in (
        ("tail", "kept", "--no-follow", f"--consumer={name}"),
        ("consumer", "reset", "kept", "--", name),
        ("consumer", "rm", "kept", "--", name),
    ):
        assert "invalid consumer name: " in one_error(here(running.command, *args), 2)
    assert name not in consumers(running)


@pytest.mark.parametrize("name", ["a", "0", "_", "a.b-c_D9", "x" * 64])
def test_a_valid_consumer_name_can_be_used_reset_and_removed(running: Scene, here: Here, name: str) -> None:
    done = here(running.command, "tail", "kept", "--consumer", name, "--count", "2")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2), done.stderr
    assert here(running.command, "consumer", "reset", "kept", name, "--to", "end").returncode == 0
    assert here(running.command, "consumer", "rm", "kept", name).returncode == 0
    assert name not in consumers(running)


@pytest.mark.parametrize("cursor", CURSORS)
def test_an_invalid_cursor_moves_no_consumer(running: Scene, here: Here, cursor: str) -> None:
    assert here(running.command, "tail", "kept", "--consumer", "moved", "--count", "2").returncode in (0, 124)
    before = consumers(running)
    for args in (
        ("tail", "kept", "--no-follow", f"--after={cursor}"),
        ("tail", "kept", "--no-follow", "--consumer=not-made", f"--after={cursor}"),
        ("consumer", "reset", "kept", "moved", f"--to={cursor}"),
    ):
        assert one_error(here(running.command, *args), 2).endswith("is not a cursor")
    assert consumers(running) == before
    assert here(running.command, "consumer", "rm", "kept", "moved").returncode == 0


def test_a_consumer_is_not_sent_to_a_message_that_never_was(running: Scene, here: Here) -> None:
    assert here(running.command, "tail", "kept", "--consumer", "sent", "--count", "2").returncode == 0
    (epoch,) = {
        json.loads(line)["epoch"]
        for line in here(running.command, "tail", "kept", "--json", "--no-follow").stdout.splitlines()
    }
    for cursor in (f"{epoch}:6", "zzzz:1"):
        done = here(running.command, "consumer", "reset", "kept", "sent", "--to", cursor)
        assert one_error(done, 2) == f"error: channel 'kept' knows no message {cursor}"
        assert f"hint: kept are {epoch}:1 to {epoch}:5; or give start or end" in done.stderr
        assert consumers(running)["sent"] == 2
    assert here(running.command, "consumer", "reset", "kept", "sent", "--to", f"{epoch}:5").returncode == 0
    assert consumers(running)["sent"] == 5


@pytest.mark.parametrize("program", BROKEN)
def test_an_expression_that_does_not_compile_begins_nothing(running: Scene, here: Here, program: str) -> None:
    sent = running.manager.stats()["channels"]["kept"]["sent"]
    for args in (
        ("tail", "kept", "--consumer=not-made", "--jq", program),
        ("tail", "kept", "--consumer=not-made", "--exec", "cat", "--key", program),
        ("request", "kept", "{}", "--match", program),
        ("send", "kept", "{}", "--wait-ack", program),
    ):
        assert " does not compile: " in one_error(here(running.command, *args), 2)
    assert "not-made" not in consumers(running)
    assert running.manager.stats()["channels"]["kept"]["sent"] == sent


def test_a_consumer_stays_before_a_message_that_jq_fails_on(running: Scene, here: Here) -> None:
    consume = ("tail", "kept", "--consumer", "careful", "--jq")
    fails = '[.n, .n + 10][] | if . == 12 then error("oh") else . end'
    for _ in range(2):
        done = here(running.command, *consume, fails, "--no-follow")
        assert done.returncode == 1
        assert done.stderr.splitlines() == [
            "error: --jq fails on message 3 of kept: oh",
            "hint: its position stays before that message: run it again once the expression is mended",
        ]
        assert consumers(running)["careful"] == 2
    assert done.stdout == "", "of the message that it fails on nothing is printed"
    assert here(running.command, *consume, ".n", "--count", "1").stdout == "2\n"
    assert here(running.command, *consume, ".n", "--no-follow").stdout == "3\n4\n"
    assert consumers(running)["careful"] == 5


def test_a_message_that_jq_fails_on_is_skipped_and_counted_without_a_consumer(running: Scene, here: Here) -> None:
    program = 'if .n == 2 then error("oh") else .n end'
    done = here(running.command, "tail", "kept", "--no-follow", "--jq", program)
    assert (done.returncode, done.stdout, done.stderr) == (0, "0\n1\n3\n4\n", "1 message skipped: jq: oh\n")


def test_a_key_that_fails_keeps_the_order_and_loses_nothing(running: Scene, here: Here) -> None:
    taken = running.command.directory / "keyed"
    script = running.command.directory / "keyed.sh"
    script.write_text(f'#!/bin/sh\necho $WSCLI_SEQ >> "{taken}"\n')
    script.chmod(0o755)
    done = here(
        running.command,
        *("tail", "kept", "--consumer", "keyed", "--no-follow", "--parallel", "3"),
        *("--exec", str(script), "--key", 'error("oh")'),
    )
    assert done.returncode == 0, done.stderr
    assert taken.read_text().split() == ["1", "2", "3", "4", "5"]
    assert consumers(running)["keyed"] == 5


@pytest.mark.parametrize("verb", [("request", "--match"), ("send", "--wait-ack")])
def test_an_answer_that_an_expression_fails_on_is_passed_over_and_told_of(
    running: Scene, here: Here, verb: tuple[str, str]
) -> None:
    ask = (verb[0], "echo", '{"say": ["[]"], "id": 7}', verb[1])
    assert here(running.command, *ask, ".reply == 7", "--timeout", "30s").returncode == 0

    def asked(seconds: float) -> CompletedProcess[str] | None:
        done = here(running.command, *ask, 'error("oh")', "--timeout", f"{seconds:g}s")
        ended = f"within {seconds:g} s; 2 messages came instead; the expression fails on some: oh"
        return done if done.returncode == 124 and one_error(done, 124).endswith(ended) else None

    done = with_more_time(asked, 1.0)
    hint = re.search("hint: `wscli (.*)` shows what came instead", done.stderr)
    assert hint is not None
    shown = here(running.command, *shlex.split(hint[1]))
    assert shown.stdout.splitlines() == ["[]", '{"reply": 7}'], shown
