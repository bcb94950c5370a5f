"""What reads stdin: it may take as long as it likes, and a signal, or the manager's end, is never slept through."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator

import pytest

from tests.client.scene import Scene, scene
from tests.processes import COMMAND, Process
from tests.waiting import until

READERS = {
    "whole": ["send", "echo", "--whole"],
    "lines": ["send", "echo"],
    "chunks": ["send", "echo", "--binary", "--chunk", "64"],
    "queued": ["send", "echo", "--whole", "--queue"],
    "acked": ["send", "echo", "--whole", "--wait-ack", "true"],
    "request": ["request", "echo", "-", "--match", "true"],
    "connect": ["connect", "echo"],
}
ELSEWHERE = """
import signal, sys, threading
from wscli.cli import main
threading.Thread(target=threading.Event().wait, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGALRM})
sys.exit(main(sys.argv[1:]))
"""
"""The command with a thread that takes all signals: what the main thread waits in is not interrupted by them, just as
when one comes at the moment before the wait."""


@pytest.fixture(scope="module")
def running() -> Iterator[Scene]:
    with scene() as made:
        yield made


def unread(descriptor: int) -> int:
    """How many bytes of a pipe or a terminal nobody has read yet."""
    count = fcntl.ioctl(descriptor, termios.FIONREAD, b"\0" * 4)
    return int.from_bytes(count, sys.byteorder)


def waits_for_more(process: Process) -> None:
    """Give it a part of a message, and wait until it has read that."""
    process.write("half of it")
    assert process.popen.stdin is not None
    descriptor = process.popen.stdin.fileno()
    until(lambda: unread(descriptor) == 0)


def received(running: Scene) -> int:
    return int(running.manager.stats()["channels"]["echo"]["received"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("reader", READERS)
def test_one_signal_ends_a_reader_of_stdin_and_nothing_is_sent(
    running: Scene, reader: str, number: signal.Signals
) -> None:
    before = received(running)
    with running.command.start(*READERS[reader], stdin=True) as process:
        waits_for_more(process)
        assert process.stop(number) == 128 + number
        assert process.err == []
    assert received(running) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("reader", [*READERS, "tail"])
def test_a_signal_taken_by_another_thread_ends_a_command(running: Scene, reader: str, number: signal.Signals) -> None:
    command = [sys.executable, "-c", ELSEWHERE, *READERS.get(reader, ["tail", "echo"])]
    with Process(command, env=running.command.env, cwd=running.command.directory, stdin=True) as process:
        if reader == "tail":
            running.until_readers(1)
        else:
            waits_for_more(process)
        assert process.stop(number) == 128 + number
        assert process.err == []


def test_a_deadline_whose_signal_another_thread_takes_ends_a_tail(running: Scene) -> None:
    command = [sys.executable, "-c", ELSEWHERE, "tail", "echo", "--timeout", "500ms"]
    with Process(command, env=running.command.env, cwd=running.command.directory) as process:
        assert process.wait() == 124


def test_ctrl_c_on_a_terminal_ends_a_message_that_is_typed(running: Scene) -> None:
    ours, its = pty.openpty()
    typing = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    command, where = [sys.executable, "-c", typing, *COMMAND, "send", "echo", "--whole", "-"], running.command.directory
    process = subprocess.Popen(
        command, stdin=its, stderr=subprocess.PIPE, start_new_session=True, env=running.command.env, cwd=where
    )
    try:
        os.write(ours, b"half of it\n")
        assert os.read(ours, 64), "the terminal echoes what it has taken"
        until(lambda: unread(its) == 0)
        os.write(ours, b"\x03")
        assert process.communicate(timeout=60) == (None, b"")
        assert process.returncode == 130
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(its)


@pytest.mark.parametrize("words", [["connect", "echo"], ["send", "echo", "-"]])
def test_on_a_terminal_nothing_is_sent_that_enter_did_not_follow(running: Scene, words: list[str]) -> None:
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *words],
        stdin=its,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=running.command.env,
        cwd=running.command.directory,
    )
    before = received(running)
    try:
        os.write(ours, b'{"say": ["entered"]}\n')
        until(lambda: received(running) == before + 1)
        os.write(ours, b'{"say": ["given up"]}\4')
        until(lambda: unread(its) == 0)
        os.write(ours, b"\4")
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert err.splitlines()[-1] == "the last line was not sent: Enter did not follow it"
        assert received(running) == before + 1
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(its)


@pytest.mark.parametrize("reader", ["connect", "lines"])
def test_the_last_line_of_a_pipe_needs_no_newline(running: Scene, reader: str) -> None:
    before = received(running)
    done = running.command(*READERS[reader], input='{"say": ["one"]}\n{"say": ["two"]}')
    assert done.returncode == 0, done.stderr
    until(lambda: received(running) == before + 2)


def test_a_whole_message_may_take_its_time_as_the_manager_is_asked_at_once(running: Scene) -> None:
    nowhere = running.command("send", "ecko", "--whole", "-", input="x")
    assert nowhere.returncode == 6
    with (
        running.command.start("send", "ecko", "--whole", "-", stdin=True) as wrong,
        running.command.start("send", "echo", "--whole", stdin=True) as process,
        running.command.start("send", "echo", "--whole", "--queue", "--key", "k", stdin=True) as queued,
    ):
        assert wrong.wait() == 6, "before there is anything to send"
        for one in (process, queued):
            waits_for_more(one)
        for one in (process, queued):
            one.write(", and the other\n")
            assert one.popen.stdin is not None
            one.popen.stdin.close()
            assert one.wait() == 0
    empty = running.command("send", "echo", "--whole", "--binary", input="")
    assert empty.returncode == 0, empty.stderr


def test_a_send_that_reads_stdin_ends_with_its_manager() -> None:
    with scene() as made, made.command.start("send", "echo", "--whole", stdin=True) as process:
        waits_for_more(process)
        made.manager.stop()
        assert process.wait() == 5
        assert process.err[0] == "error: the manager was stopped"
