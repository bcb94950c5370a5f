"""The child processes that evaluate expressions, and what their owners send and read.

Reading from one blocks like any other call: a signal's handler runs, and a deadline holds, whatever jq is doing.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import NamedTuple

from wscli.expressions.child import ANSWER_HEADER
from wscli.expressions.compiled import compile_condition, compile_program
from wscli.expressions.simple import LONGEST_TEXT, is_simple

__all__ = [
    "AnswerFrame", "AnswerFrames", "READ_SIZE", "EvaluationTimedOut", "EvaluatorProcess", "Program", "holding",
    "make_request", "take_running", "warm_up",
]  # fmt: skip

READ_SIZE = 1 << 16
"""Bytes read at once."""
_LOOK = 0.5
"""Seconds of one wait for data: a signal that arrived just before the wait does not interrupt it."""


class EvaluationTimedOut(Exception):
    """The deadline has passed; the expression was ended."""


class AnswerFrame(NamedTuple):
    """``r`` with a result; then ``.``, ``e`` with the reason of a failure, or ``n``: the text is not JSON."""

    kind: bytes
    text: str


class AnswerFrames:
    """Bytes in, frames out."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def received(self, data: bytes) -> None:
        """Take what was read."""
        self._buffer += data

    def next_frame(self) -> AnswerFrame | None:
        """Give the next complete frame; None: more must be read."""
        if len(self._buffer) < ANSWER_HEADER.size:
            return None
        kind, length = ANSWER_HEADER.unpack_from(self._buffer)
        end = ANSWER_HEADER.size + length
        if len(self._buffer) < end:
            return None
        text = self._buffer[ANSWER_HEADER.size : end].decode()
        del self._buffer[:end]
        return AnswerFrame(kind, text)


def make_request(program: str, texts: Sequence[str], *, condition: bool, values: Mapping[str, object]) -> bytes:
    """Make a request of ``wscli.expressions.child``."""
    request = {"program": program, "condition": condition, "values": values, "texts": texts}
    return json.dumps(request).encode() + b"\n"


class EvaluatorProcess:
    """One child; its socket blocks, and is its owner's to read and write.

    Args:
        seconds: of processor time for one text; 0: no limit.
        memory: bytes of its address space; 0: no limit.
        environ: its environment, which expressions can read; None: ours.
    """

    def __init__(self, *, seconds: float = 0, memory: int = 0, environ: Mapping[str, str] | None = None) -> None:
        self.sock, theirs = socket.socketpair()
        ended, self._alive = os.pipe()
        self._seconds, self._memory = seconds, memory
        args = [sys.executable, "-P", "-m", "wscli.expressions.child", str(seconds), str(memory), str(ended)]
        try:
            self._process = subprocess.Popen(
                args,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.DEVNULL,
                env=environ,
                pass_fds=(ended,),
                start_new_session=True,
            )
        except BaseException:
            self.sock.close()
            os.close(self._alive)
            raise
        finally:
            theirs.close()
            os.close(ended)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @property
    def open(self) -> bool:
        """Whether ``end`` was not called."""
        return self.sock.fileno() >= 0

    def ask(self, request: bytes) -> None:
        """Send a request, without a deadline; if the process has ended, the read of its answer shows it."""
        self.sock.settimeout(None)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendall(request)

    def end(self) -> str:
        """Kill it if it still runs, and say how it ended by itself, if it did."""
        self.sock.close()
        self._process.poll()
        self._process.kill()
        code = self._process.wait()
        if self._alive >= 0:
            os.close(self._alive)
            self._alive = -1
        if code == -signal.SIGPROF:
            return f"took longer than {self._seconds:g} s"
        if self._memory and code != -signal.SIGKILL:
            return f"needs more than {self._memory >> 20} MiB of memory"
        return "the process that evaluates it was killed" if code < 0 else "the process that evaluates it ended"


def take_running(idle: list[EvaluatorProcess]) -> EvaluatorProcess | None:
    """Take a running process from a list; killed ones are removed from it."""
    while True:
        try:
            process = idle.pop()
        except IndexError:  # not a check before: several threads take from it
            return None
        if process.running:
            return process
        process.end()


_idle: dict[int, list[EvaluatorProcess]] = {}
"""Of this process, by its number: a fork must not share them."""
_MOST_IDLE = 4


def _take() -> EvaluatorProcess:
    return take_running(_own_idle()) or EvaluatorProcess()


def _give_back(process: EvaluatorProcess) -> None:
    idle = _own_idle()
    if len(idle) < _MOST_IDLE:
        idle.append(process)
    else:
        process.end()


def _own_idle() -> list[EvaluatorProcess]:
    pid = os.getpid()
    if pid not in _idle:
        _idle[pid] = []
        atexit.register(_end_idle, pid)
    return _idle[pid]


def _end_idle(pid: int) -> None:
    while pid == os.getpid() and _idle[pid]:
        _idle[pid].pop().end()


def warm_up(expression: str) -> None:
    """Start a process for an expression that will need one."""
    if not is_simple(expression):
        _give_back(_take())


class Program:
    """A program whose results are read as they are made; used as an iterator of them for each text in turn.

    Raises:
        InvalidExpression: it does not compile.
    """

    def __init__(self, expression: str) -> None:
        self._run: Callable[[str], Iterator[str]] = compile_program(expression)
        self._simple = is_simple(expression)
        self._expression = expression
        warm_up(expression)

    def results(self, texts: Sequence[str]) -> Generator[Iterator[str], None, None]:
        """Give for each text an iterator of its results, which raises ValueError where the program fails on it."""
        if self._simple and all(len(text) <= LONGEST_TEXT for text in texts):
            yield from map(self._run, texts)
            return
        at = 0
        while at < len(texts):
            process, frames = _take(), AnswerFrames()
            try:
                process.ask(make_request(self._expression, texts[at:], condition=False, values={}))
                while at < len(texts) and process.open:
                    at += 1
                    one = _results(process, frames, None)
                    yield one
                    with contextlib.suppress(ValueError):  # told where it was taken
                        for _ in one:
                            pass
            except BaseException:
                process.end()
                raise
            if process.open:
                _give_back(process)


def holding(expression: str, values: Mapping[str, object] | None = None) -> Callable[[str, float | None], bool]:
    """Return a function that says whether any result of the expression on a text is neither false nor null.

    The function takes the time, by ``time.monotonic``, at which it raises EvaluationTimedOut; it raises ValueError
    where the expression fails.

    Raises:
        InvalidExpression: it does not compile.
    """
    condition = compile_condition(expression, values)
    simple = is_simple(expression)

    def holds(text: str, deadline: float | None) -> bool:
        if simple and len(text) <= LONGEST_TEXT:
            return condition(text)
        process = _take()
        try:
            process.ask(make_request(expression, [text], condition=True, values=values or {}))
            return list(_results(process, AnswerFrames(), deadline)) == ["true"]
        except ValueError:
            raise
        except BaseException:  # a deadline or a signal: the process still works on this text
            process.end()
            raise
        finally:
            if process.open:
                _give_back(process)

    return holds


def _results(process: EvaluatorProcess, frames: AnswerFrames, deadline: float | None) -> Iterator[str]:
    """Give the results for one text, each as soon as it was read."""
    while True:
        frame = frames.next_frame()
        if frame is None:
            if deadline is not None and deadline <= time.monotonic():
                raise EvaluationTimedOut
            left = _LOOK if deadline is None else min(_LOOK, max(deadline - time.monotonic(), 0.001))
            process.sock.settimeout(left)
            try:
                data = process.sock.recv(READ_SIZE)
            except TimeoutError:
                continue
            except ConnectionResetError:
                data = b""
            if not data:
                raise ValueError(process.end())
            frames.received(data)
        elif frame.kind == b"r":
            yield frame.text
        elif frame.kind == b"e":
            raise ValueError(frame.text)
        else:
            return
