"""``tail --exec`` however it ends: a message that no command took comes again, and nothing is left running."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator

import psutil
import pytest

from tests.backend.process import BackendProcess
from tests.e2e.test_consumers import Scene
from tests.processes import Process, Wscli
from tests.waiting import until

BEGINS = "echo began $$ $WSCLI_SEQ"
HANGS = f"#!/bin/sh\n{BEGINS}\nsleep 600 &\nwait\n"
TAKES_AFTER_ALL = f"#!/bin/sh\ntrap 'exit 0' TERM\n{BEGINS}\nsleep 600 &\nwait\n"
STAYS = f"#!/bin/sh\nexec 2>/dev/null\ntrap 'echo asked' TERM\n{BEGINS}\nwhile :; do sleep 0.1; done\n"


@pytest.fixture(scope="module")
def scene() -> Iterator[Scene]:
    with Wscli() as wscli, BackendProcess(require_token=False) as demo:
        scene = Scene(wscli, demo)
        scene.add(5)
        yield scene
        assert scene.manager.stop() == 0


class Run:
    """``tail --exec`` with a script, by a consumer of the test's own."""

    def __init__(self, scene: Scene, name: str, script: str) -> None:
        self.scene = scene
        self.name = name
        self.path = scene.wscli.directory / f"{name}.sh"
        self.path.write_text(script)
        self.path.chmod(0o755)

    def start(self, *options: str, begun: int = 1) -> Process:
        """Start it, and wait until so many commands run."""
        args = ("tail", "feed", "--consumer", self.name, "--exec", str(self.path), *options)
        tail = self.scene.wscli.start(*args)
        tail.until_lines(begun)
        return tail

    def done(self) -> int:
        """How far the consumer is."""
        return int(self.scene.feed()["consumers"][self.name]["seq"])

    def again(self) -> list[int]:
        """What comes to a command that takes it, at the next run."""
        taken = self.path.with_suffix(".taken")
        self.path.write_text(f'#!/bin/sh\necho $WSCLI_SEQ >> "{taken}"\n')
        done = self.scene.wscli("tail", "feed", "--consumer", self.name, "--exec", str(self.path), "--no-follow")
        assert done.returncode == 0, done.stderr
        return [int(line) for line in taken.read_text().splitlines()]


def groups(tail: Process) -> set[int]:
    """The process groups of the commands that said that they began: their shells lead them."""
    return {int(line.split()[1]) for line in tail.out if line.startswith("began")}


def silent(tail: Process) -> bool:
    """Whether it said nothing, but for what a manager that gets no turn for a second makes it say."""
    return set(tail.err) <= {"warning: the position of the consumer was not confirmed"}


def running(wanted: set[int]) -> list[psutil.Process]:
    """What still runs of process groups."""
    found = []
    for one in psutil.process_iter():
        with contextlib.suppress(OSError, psutil.Error):  # it went meanwhile, or is none of ours
            if os.getpgid(one.pid) in wanted and one.status() != psutil.STATUS_ZOMBIE:
                found.append(one)
    return found


@pytest.mark.parametrize("parallel", [1, 3])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_commands_and_their_messages_come_again(
    scene: Scene, number: signal.Signals, parallel: int
) -> None:
    run = Run(scene, f"hangs-{number:d}-{parallel}", HANGS)
    tail = run.start("--parallel", str(parallel), begun=parallel)
    assert tail.stop(number) == 128 + number
    assert silent(tail)
    assert len(groups(tail)) == parallel
    until(lambda: not running(groups(tail)))
    assert run.done() == 0
    assert run.again() == [1, 2, 3, 4, 5]


def test_a_command_that_is_asked_to_end_may_still_take_its_message(scene: Scene) -> None:
    run = Run(scene, "takes", TAKES_AFTER_ALL)
    tail = run.start()
    assert tail.stop(signal.SIGTERM) == 143
    assert silent(tail)
    until(lambda: not running(groups(tail)))
    assert run.done() == 1
    assert run.again() == [2, 3, 4, 5]


def test_a_second_signal_does_not_wait_for_a_command_that_stays(scene: Scene) -> None:
    run = Run(scene, "stays", STAYS)
    tail = run.start()
    tail.popen.send_signal(signal.SIGTERM)
    tail.until(lambda: "asked" in tail.out)
    assert tail.stop(signal.SIGINT, timeout=60) == 130
    assert silent(tail)
    until(lambda: not running(groups(tail)))
    assert run.done() == 0


def test_a_signal_while_the_last_commands_are_waited_for_ends_them_too(scene: Scene) -> None:
    run = Run(scene, "last", HANGS)
    tail = run.start("--no-follow", "--parallel", "5", begun=5)
    assert tail.stop(signal.SIGINT) == 130
    until(lambda: not running(groups(tail)))
    assert run.again() == [1, 2, 3, 4, 5]


def test_a_command_that_hangs_is_ended_with_all_that_it_started(scene: Scene) -> None:
    run = Run(scene, "late", HANGS)
    tail = run.start("--exec-timeout", "300ms", begun=0)  # where the machine is busy, that is over before it says so
    assert tail.wait() == 1
    assert f"error: {str(run.path)!r} took longer than 0.3 s, and was killed on message 1 of feed" in tail.stderr
    assert "hint: " in tail.stderr
    until(lambda: not running(groups(tail)))
    assert run.again() == [1, 2, 3, 4, 5]


def test_a_command_that_cannot_be_run_is_one_clear_line(scene: Scene) -> None:
    run = Run(scene, "broken", "#!/nowhere/sh\n")
    done = scene.wscli("tail", "feed", "--consumer", "broken", "--exec", str(run.path))
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 2)
    assert f"error: {str(run.path)!r} cannot be started: no such file or directory on message 1" in done.stderr
    run.path.chmod(0o644)
    for program in (str(run.path), "no-such-program-here", str(scene.wscli.directory)):
        done = scene.wscli("tail", "feed", "--consumer", "broken", "--exec", program)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 2)
        assert f"error: invalid --exec: program {program!r} does not exist" in done.stderr
    run.path.chmod(0o755)
    assert run.again() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("options", [[], ["--retry"], ["--timeout", "60s"]])
def test_a_failing_command_is_reported_before_the_end_of_the_manager(wscli: Wscli, options: list[str]) -> None:
    with BackendProcess(require_token=False) as demo:
        scene = Scene(wscli, demo)
        scene.add(2)
        go = wscli.directory / "go"
        run = Run(scene, "fails", f"#!/bin/sh\n{BEGINS}\nwhile [ ! -e {go} ]; do sleep 0.05; done\nexit 3\n")
        tail = run.start(*options)
        scene.manager.kill()
        go.touch()
        assert tail.wait() == 1
        assert f"error: {str(run.path)!r} exited with 3 on message 1 of feed" in tail.stderr
        scene.up()
        assert run.again() == [1, 2]
        assert scene.manager.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_repeated_signals_end_a_tail_silently(scene: Scene, number: signal.Signals) -> None:
    run = Run(scene, f"twice-{number:d}", f"#!/bin/sh\n{BEGINS}\n")
    for _ in range(4):
        tail = run.start("--parallel", "3")
        for _ in range(3):
            if tail.popen.poll() is None:
                tail.popen.send_signal(number)
        assert tail.wait() in (128 + number, -number), "by the last of them, where the interpreter was at its end"
        assert silent(tail)
        until(lambda tail=tail: not running(groups(tail)))
        assert scene.wscli("consumer", "reset", "feed", run.name).returncode == 0
