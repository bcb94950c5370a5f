"""What a command says when its deadline passes and its channel is down: the state, the reason and the next attempt."""

from __future__ import annotations

import re

import pytest

from tests.client.scene import Make, Scene, make, running
from tests.waiting import with_more_time
from wscli.errors import TimedOut

__all__ = ["make", "running"]

COMMANDS = {
    "wait": (["wait", "lost"], 124),
    "tail": (["tail", "lost"], 124),
    "idle": (["tail", "lost"], 124),
    "send": (["send", "lost", "hello"], 7),
    "queue": (["send", "lost", "hello", "--queue", "--wait"], 124),
    "request": (["request", "lost", "{}", "--match", "true"], 7),
    "flush": (["outbox", "flush"], 124),
}


@pytest.mark.parametrize("called", COMMANDS)
def test_the_error_of_a_deadline_says_how_the_channel_is(running: Scene, called: str) -> None:
    words, code = COMMANDS[called]

    def error(seconds: float) -> str | None:
        done = running.command(*words, "--idle-timeout" if called == "idle" else "--timeout", f"{seconds}s")
        error = next(line for line in done.stderr.splitlines() if line.startswith("error: "))
        return error if done.returncode == code and "connection refused" in error else None

    found = with_more_time(error, 0.6)
    assert found is not None
    assert "lost" in found
    assert "not in use" not in found


def test_a_tail_of_a_channel_that_is_down_says_so_before_its_deadline(running: Scene) -> None:
    def told(seconds: float) -> list[str]:
        done = running.command("tail", "lost", "--timeout", f"{seconds}s")
        return [line for line in done.stderr.splitlines() if line.startswith("lost: ")]

    (line,) = with_more_time(told, 2.0)  # once for each reason
    assert "connection refused" in line


def test_a_wait_of_the_api_names_the_reason_of_the_last_attempt(make: Make, running: Scene) -> None:
    def names_it(seconds: float) -> bool:
        with pytest.raises(TimedOut) as failed:
            make(environ=running.environ).wait("lost", timeout=seconds)
        return re.search("lost is .*connection refused", str(failed.value)) is not None

    for _ in range(3):
        assert with_more_time(names_it, 0.3)
