"""One command that takes a message: no shell, a process group of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence

__all__ = ["MessageCommand"]


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
