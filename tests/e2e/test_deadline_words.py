"""What a command says when its deadline passes and its channel is down: the state, the reason and the next attempt."""

from __future__ import annotations

import pytest

from tests.client.scene import Make, Scene, make, running
from wscli.errors import TimedOut

__all__ = ["make", "running"]

COMMANDS = {
    "wait": (["wait", "lost"], 124),
    "tail": (["tail", "lost"], 124),
    "idle": (["tail", "lost", "--idle-timeout", "600ms"], 124),
    "send": (["send", "lost", "hello"], 7),
    "queue": (["send", "lost", "hello", "--queue", "--wait"], 124),
    "request": (["request", "lost", "{}", "--match", "true"], 7),
    "flush": (["outbox", "flush"], 124),
}


@pytest.mark.parametrize("called", COMMANDS)
def test_the_error_of_a_deadline_says_how_the_channel_is(running: Scene, called: str) -> None:
    words, code = COMMANDS[called]
    done = running.command(*words, *([] if called == "idle" else ["--timeout", "600ms"]))
    assert done.returncode == code, done.stderr
    error = next(line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert "lost" in error
    assert "connection refused" in error
    assert "not in use" not in error


def test_a_tail_of_a_channel_that_is_down_says_so_before_its_deadline(running: Scene) -> None:
    done = running.command("tail", "lost", "--timeout", "2s")
    told = [line for line in done.stderr.splitlines() if line.startswith("lost: ")]
    assert len(told) == 1, "once for each reason"
    assert "connection refused" in told[0]


def test_a_wait_of_the_api_names_the_reason_of_the_last_attempt(make: Make, running: Scene) -> None:
    for _ in range(3):
        with pytest.raises(TimedOut, match=r"lost is .*connection refused"):
            make(environ=running.environ).wait("lost", timeout=0.3)
