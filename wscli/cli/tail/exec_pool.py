"""Commands that take messages: so many at a time, in order within a key, and how far all of them are done."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

__all__ = ["CommandPool", "Job", "Progress"]

_GRACE = 5.0
"""Seconds for commands that are asked to end, before they are killed."""

_LOOK = 0.5
"""Seconds after which the main thread looks for signals that another one took."""
_QUEUED = 16
"""Messages for each command at a time that may wait for one."""


class Job(NamedTuple):
    """A message for a command."""

    seq: int
    key: str | None
    """Messages of one key are taken one after the other, in order; None: of no key."""
    payload: bytes
    environ: Mapping[str, str]


class Progress:
    """What is done, as far as nothing before it is not."""

    def __init__(self) -> None:
        self._open: deque[list[int]] = deque()  # (number, gaps, whether it is done), in the order of their coming
        self._by_seq: dict[int, list[int]] = {}

    def began(self, seq: int, gaps: int) -> None:
        """A message came, after so many gaps."""
        self._by_seq[seq] = [seq, gaps, False]
        self._open.append(self._by_seq[seq])

    def done(self, seq: int) -> tuple[int, int] | None:
        """It is done; give how far everything is, as a number and gaps, if that is further than before."""
        self._by_seq.pop(seq)[2] = True
        last = None
        while self._open and self._open[0][2]:
            last = self._open.popleft()
        return None if last is None else (last[0], last[1])


class MessageCommand:
    """A command that was started.

    Raises:
        OSError: it cannot be.
        ValueError: an argument holds a NUL.
    """

    def __init__(self, argv: Sequence[str], environ: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, env={**os.environ, **environ}, start_new_session=True
        )
        self._ended = False

    def run(self, payload: bytes, timeout: float) -> str | None:
        """Hand it the message and wait for its end; None: it took it, else why not."""
        try:
            self._process.communicate(payload, timeout=timeout)
        except subprocess.TimeoutExpired:
            self.send_signal(signal.SIGKILL)
            if self._process.stdin is not None:  # what it left behind may hold the other end, and read nothing
                self._process.stdin.close()
            self._process.wait()
            return f"took longer than {timeout:g} s, and was killed"
        if self._ended:  # what it started and left behind
            self.send_signal(signal.SIGKILL)
        code = self._process.returncode
        if code < 0:
            return f"was ended by signal {-code}"
        return f"exited with {code}" if code else None

    def send_signal(self, number: signal.Signals) -> None:
        """Send its whole group a signal that is to end it."""
        self._ended = True
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended; macOS: the second of these
            os.killpg(self._process.pid, number)


class CommandPool:
    """Runs a command for each job; no shell, each in a process group of its own.

    Args:
        argv: the program and its arguments.
        parallel: so many at a time.
        timeout: seconds, after which one is killed; it has failed then.
        done: called, by one thread at a time, with each job that was taken.
        failed: called once, with the first job that was not, and why; nothing is begun after it.
        grace: seconds for what is under way once all is to end.

    ``changed`` is held while ``done`` and ``failed`` are called.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        parallel: int,
        timeout: float,
        done: Callable[[Job], None],
        failed: Callable[[Job, str], None],
        grace: float = _GRACE,
    ) -> None:
        self._argv = argv
        self._timeout = timeout
        self._done = done
        self._failed = failed
        self._grace = grace
        self._most = parallel * _QUEUED
        self._waiting: deque[Job] = deque()
        self._busy: set[str] = set()
        self._running = 0
        self._commands: set[MessageCommand] = set()
        self.changed = threading.Condition()
        self._over = self._has_failed = False
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(parallel)]
        for thread in self._threads:
            thread.start()

    def put(self, job: Job) -> bool:
        """Have a job done, once there is room for it; False: one has failed, and it is not begun."""
        with self.changed:
            while len(self._waiting) >= self._most and not self._has_failed:
                self.changed.wait(_LOOK)
            if not self._has_failed:
                self._waiting.append(job)
                self.changed.notify_all()
            return not self._has_failed

    def drain(self, *, at_once: bool) -> None:
        """Return once everything that was put is done; ``at_once``, or after a failure, once what is under way is."""
        with self.changed:
            if at_once:
                self._waiting.clear()
            while self._waiting or self._running:
                self.changed.wait(_LOOK)

    def terminate(self) -> None:
        """Begin nothing more, and have what is under way end: by SIGTERM, and by SIGKILL what stays.

        What then exits with 0 has taken its message; what does not has not failed for it.
        """
        with self.changed:
            self._over = True
            self._waiting.clear()
            self.changed.notify_all()
            for command in self._commands:
                command.send_signal(signal.SIGTERM)
            killed_at = time.monotonic() + self._grace
            try:
                while self._running and (left := killed_at - time.monotonic()) > 0:
                    self.changed.wait(min(left, _LOOK))
            finally:  # a second signal does not wait
                for command in self._commands:
                    command.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """Return once nothing is under way, of which anything is ended."""
        self.terminate()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            why = self._run(job)
            with self.changed:
                self._running -= 1
                if job.key is not None:
                    self._busy.discard(job.key)
                if why is None:
                    self._done(job)
                elif not self._has_failed and not self._over:
                    self._has_failed = True
                    self._waiting.clear()
                    self._failed(job, why)
                self.changed.notify_all()

    def _next(self) -> Job | None:
        with self.changed:
            while True:
                for job in self._waiting:
                    if job.key is None or job.key not in self._busy:
                        self._waiting.remove(job)
                        self._running += 1
                        if job.key is not None:
                            self._busy.add(job.key)
                        self.changed.notify_all()
                        return job
                if self._has_failed or self._over:
                    return None
                self.changed.wait()

    def _run(self, job: Job) -> str | None:
        """Run the command; None: it took the message."""
        try:
            command = MessageCommand(self._argv, job.environ)
        except (OSError, ValueError) as error:
            return f"cannot be started: {getattr(error, 'strerror', None) or error}".lower()
        with self.changed:
            self._commands.add(command)
            if self._over:
                command.send_signal(signal.SIGTERM)
        try:
            return command.run(job.payload, self._timeout)
        finally:
            with self.changed:
                self._commands.discard(command)
