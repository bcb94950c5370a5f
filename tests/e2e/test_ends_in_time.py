"""Deadlines that hold: whatever the manager does, and whatever jq does, a command ends in time or by a signal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from tests.client.scene import Scene, scene
from tests.waiting import until, with_more_time
from wscli import AsyncClient, Client
from wscli.errors import ExitCode, WscliError

LATE = 9.0
"""Seconds, less than the deadline of a call that is given none."""
ENDLESS = "def f: f; f"

VERBS = {
    "send": ("send", "echo", "x", "--timeout", "1s"),
    "send, more than the socket takes": ("send", "echo", "--whole", "--timeout", "1s"),
    "send --queue": ("send", "echo", "x", "--queue", "--timeout", "1s"),
    "send --wait-ack": ("send", "echo", "x", "--wait-ack", "true", "--timeout", "1s"),
    "request": ("request", "echo", "x", "--match", "true", "--timeout", "1s"),
    "wait": ("wait", "echo", "--timeout", "1s"),
    "up -d": ("up", "-d", "--wait", "-c", "app.yaml", "--timeout", "1s"),
    "down": ("down", "--timeout", "1s"),
    "tail": ("tail", "echo", "--timeout", "1s"),
    "tail --consumer": ("tail", "kept", "--consumer", "late", "--timeout", "1s"),
    "outbox flush": ("outbox", "flush", "--timeout", "1s"),
    "ls": ("ls",),
}
"""Each with a deadline of one second, or with one of its own that is not much longer."""


@pytest.fixture(scope="module")
def running() -> Iterator[Scene]:
    with scene() as found:
        yield found


@contextlib.contextmanager
def stopped(running: Scene, *, full: bool) -> Iterator[None]:
    """Stop the manager by SIGSTOP; ``full``: with more connections than its queue holds."""
    waiting: list[socket.socket] = []
    os.kill(running.manager.pid, signal.SIGSTOP)
    try:
        with contextlib.suppress(BlockingIOError):
            while full:
                waiting.append(socket.socket(socket.AF_UNIX))
                waiting[-1].setblocking(False)
                waiting[-1].connect(str(next(running.command.runtime.glob("*.sock"))))
        yield
    finally:
        for one in waiting:
            one.close()
        os.kill(running.manager.pid, signal.SIGCONT)


@pytest.mark.parametrize("full", [False, True], ids=["stopped", "its queue is full"])
def test_each_command_ends_in_time_beside_a_manager_that_does_nothing(full: bool) -> None:
    with scene() as running, stopped(running, full=full):  # a manager of its own, which hears `down` when it wakes
        started = {}
        for name, verb in VERBS.items():
            large = "--whole" in verb
            started[name] = running.command.start(*verb, stdin=large)
            if large:
                with contextlib.suppress(BrokenPipeError):  # it asks for the channel first
                    started[name].write("x" * (8 << 20))
        codes = {name: one.wait() for name, one in started.items()}
    assert codes.pop("ls") == ExitCode.OK
    unsure = {ExitCode.NOT_SENT, ExitCode.OUTCOME_UNKNOWN, ExitCode.TIMED_OUT}
    assert {name: code for name, code in codes.items() if code not in unsure} == {}


CALLS: dict[str, Callable[[Client | AsyncClient], object]] = {
    "send": lambda client: client.send("echo", "x", timeout=0.3),
    "request": lambda client: client.request("echo", "x", "true", timeout=0.3),
    "wait": lambda client: client.wait("echo", timeout=0.3),
}


@pytest.mark.parametrize("full", [False, True], ids=["stopped", "its queue is full"])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_each_call_ends_in_time_beside_a_manager_that_does_nothing(
    running: Scene, call: Callable[[Client | AsyncClient], object], full: bool
) -> None:
    async def asynchronous() -> None:
        await call(AsyncClient(environ=running.environ))  # type: ignore[misc]

    with stopped(running, full=full):
        for one in (lambda: call(Client(environ=running.environ)), lambda: asyncio.run(asynchronous())):
            began = time.monotonic()
            with pytest.raises(WscliError) as failed:
                one()
            assert failed.value.exit_code in {ExitCode.NOT_SENT, ExitCode.OUTCOME_UNKNOWN, ExitCode.TIMED_OUT}
            assert time.monotonic() - began < LATE


EVALUATIONS = {
    "tail --jq": ("tail", "echo", "--jq", ENDLESS),
    "tail --exec --key": ("tail", "echo", "--exec", "true", "--parallel", "2", "--key", ENDLESS),
    "request --match": ("request", "echo", '{"id":1}', "--match", ENDLESS),
    "send --wait-ack": ("send", "echo", '{"id":1}', "--wait-ack", ENDLESS),
}


@pytest.mark.parametrize(
    ("how", "code"),
    [("--timeout", ExitCode.TIMED_OUT), ("SIGINT", ExitCode.INTERRUPTED), ("SIGTERM", ExitCode.TERMINATED)],
)
@pytest.mark.parametrize("verb", EVALUATIONS.values(), ids=EVALUATIONS)
def test_an_evaluation_that_does_not_end_is_ended(running: Scene, verb: tuple[str, ...], how: str, code: int) -> None:
    running.until_readers(0)  # and until those that filled its queue are gone
    if verb[0] == "tail":
        assert running.command("request", "echo", '{"id":1}', "--match", ".reply == 1").returncode == 0
        verb = (*verb, "--last", "1")
    if how == "--timeout":
        assert with_more_time(lambda seconds: running.command(*verb, how, f"{seconds}s").returncode == code, 2.0)
        return
    process = running.command.start(*verb, "--timeout", "10m")
    evaluating = psutil.Process(process.pid)
    until(lambda: any(child.cpu_times().user > 0.15 for child in evaluating.children()))
    assert process.stop(getattr(signal, how)) == code, process.shown()
