"""A command that is run as a child of ours: no shell, a session of its own, and its whole group ended with it.

What a run means (when it is over, what is too much, how long it may take) is its owner's: a token source waits for a
program's output, a hook for its exit.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

__all__ = ["ERROR_TAIL", "Child"]

ERROR_TAIL = 4 << 10
"""Bytes of stderr that are kept, from its end."""
_REAP_WITHIN = 1.0


class Child(asyncio.SubprocessProtocol):
    """A running command, and its output so far.

    Args:
        most_output: bytes that it may write to stdout.
        most_errors: bytes that it may write to stderr; None: any number. The last ``ERROR_TAIL`` of them are kept.
    """

    def __init__(self, *, most_output: int = 0, most_errors: int | None = None) -> None:
        loop = asyncio.get_running_loop()
        self.output = bytearray()
        self.errors = bytearray()
        self.overflowed = False
        """Whether it wrote more than it may."""
        self.exited: asyncio.Future[None] = loop.create_future()
        self.over: asyncio.Future[None] = loop.create_future()
        """Done once it exited and its streams are closed, or once it wrote more than it may."""
        self._most = {1: most_output, 2: most_errors}
        self._said = {1: 0, 2: 0}
        self._transport: asyncio.SubprocessTransport | None = None

    async def start(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        environ: Mapping[str, str],
        stdin: bytes | None,
        stdout: int = asyncio.subprocess.PIPE,
    ) -> Self:
        """Start it, and hand it all of stdin; None is an empty one.

        Raises:
            OSError: it cannot be started.
            ValueError: an argument holds a NUL.
        """
        loop = asyncio.get_running_loop()
        starting = loop.create_task(
            loop.subprocess_exec(
                lambda: self,
                *argv,
                stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
                stdout=stdout,
                cwd=cwd,
                env=dict(environ),
                start_new_session=True,
            )
        )
        try:
            await asyncio.wait((starting,))
        except asyncio.CancelledError:
            while not starting.done():  # for milliseconds: asyncio forgets pipes of a start that is given up half-way
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait((starting,))
            if starting.exception() is None:
                self._transport = starting.result()[0]
                await self.end(kill=True)
            raise
        self._transport = starting.result()[0]
        pipe = self._transport.get_pipe_transport(0)
        if stdin is not None and isinstance(pipe, asyncio.WriteTransport):
            pipe.write(stdin)
            pipe.close()  # after what is buffered
        return self

    @property
    def code(self) -> int:
        """Its exit code once it exited; negative: the signal that killed it."""
        code = None if self._transport is None else self._transport.get_returncode()
        return 0 if code is None else code

    async def end(self, *, kill: bool, grace: float = 0.0) -> None:
        """End the process and close its pipes; call it once after each start.

        With ``kill`` its whole group is killed; before that, it is asked by SIGTERM and has ``grace`` seconds.
        """
        if self._transport is None:
            return
        try:
            if kill and grace and not self.exited.done():
                _signal_group(self._transport, signal.SIGTERM)
                await asyncio.wait((self.exited,), timeout=grace)
        finally:
            if kill:
                _signal_group(self._transport, signal.SIGKILL)
            try:
                await self._reaped()
            finally:
                self._transport.close()  # once it is reaped: `close` would reap it too, and the loop lose its exit code

    async def _reaped(self) -> None:
        """Wait until the loop has reaped it, cancelled or not: the loop would lose its exit code."""
        cancelled: asyncio.CancelledError | None = None
        for _ in range(2):  # bounded, for a process in an uninterruptible wait cannot be killed
            try:
                await asyncio.wait((self.exited,), timeout=_REAP_WITHIN)
                break
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    # what the loop tells (asyncio.SubprocessProtocol)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Keep its output."""
        if fd == 2:
            self.errors = (self.errors + data)[-ERROR_TAIL:]
        else:
            self.output += data
        self._said[fd] += len(data)
        most = self._most[fd]
        if most is not None and self._said[fd] > most:
            self.overflowed = True
            _done(self.over)

    def process_exited(self) -> None:
        """It ended; a child of its own may still hold its streams."""
        _done(self.exited)

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended, and its streams are closed."""
        _done(self.over)


def _signal_group(transport: asyncio.SubprocessTransport, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        # It leads its own session, so that its number is the group's as well.
        os.killpg(transport.get_pid(), number)


def _done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
