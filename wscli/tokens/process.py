"""Running a command: no shell, a deadline, a limit on its output, and nothing of its group left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wscli.tokens.failed import SourceFailed

__all__ = ["Finished", "run"]

_LARGEST = 64 << 10
_ERROR_TAIL = 4 << 10
_REAP_WITHIN = 1.0


@dataclass(frozen=True, slots=True, repr=False)
class Finished:
    """How a command ended: its exit code (negative: the signal that killed it), stdout, and the end of stderr."""

    code: int
    output: bytes
    errors: bytes


class _Conversation(asyncio.SubprocessProtocol):
    """Collects what a command says."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.output = bytearray()
        self.errors = bytearray()
        self.overflowed = False
        self.exited: asyncio.Future[None] = loop.create_future()
        self.over: asyncio.Future[None] = loop.create_future()
        """Set once it exited and closed its streams, or said too much."""

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self.errors = (self.errors + data)[-_ERROR_TAIL:]
            return
        self.output += data
        if len(self.output) > _LARGEST:
            self.overflowed = True
            self._finish()

    def process_exited(self) -> None:
        if not self.exited.done():
            self.exited.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish()

    def _finish(self) -> None:
        if not self.over.done():
            self.over.set_result(None)


async def run(
    argv: Sequence[str], *, shown: str, cwd: Path, environ: Mapping[str, str], stdin: bytes | None, timeout: float
) -> Finished:
    """Run a command to its end, which is when it has exited and its stdout is closed, as with ``$(...)`` in a shell.

    Whatever ends this call (a deadline of ``timeout`` seconds, more than 64 KiB of output, cancellation) kills the
    command's whole process group.

    Raises:
        SourceFailed: it cannot be started, takes too long, or says too much.

    """
    loop = asyncio.get_running_loop()
    try:
        transport, conversation = await loop.subprocess_exec(
            _Conversation,
            *argv,
            stdin=asyncio.subprocess.DEVNULL if stdin is None else asyncio.subprocess.PIPE,
            cwd=cwd,
            env=dict(environ),
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        why = (error.strerror or "").lower() if isinstance(error, OSError) else "NUL in an argument"
        raise SourceFailed(f"cannot run the command '{shown}': {why}") from None
    ended = False
    try:
        _feed(transport, stdin)
        async with asyncio.timeout(timeout):
            await conversation.over
        ended = not conversation.overflowed
    except TimeoutError:
        raise SourceFailed(f"the command '{shown}' took longer than {timeout:g} s and was killed") from None
    finally:
        await _end(transport, conversation, kill=not ended)
    if conversation.overflowed:
        raise SourceFailed(f"the command '{shown}' printed more than {_LARGEST >> 10} KiB and was killed")
    code = transport.get_returncode()
    return Finished(0 if code is None else code, bytes(conversation.output), bytes(conversation.errors))


def _feed(transport: asyncio.SubprocessTransport, stdin: bytes | None) -> None:
    pipe = transport.get_pipe_transport(0)
    if stdin is not None and isinstance(pipe, asyncio.WriteTransport):
        pipe.write(stdin)
        pipe.close()  # after what is buffered


async def _end(transport: asyncio.SubprocessTransport, conversation: _Conversation, *, kill: bool) -> None:
    """Leave no process and no pipe, however the run ended."""
    if kill:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            # It leads its own session, so that its number is the group's as well.
            os.killpg(transport.get_pid(), signal.SIGKILL)
    transport.close()
    # Reaped by the loop; bounded, for a process in an uninterruptible wait cannot be killed.
    await asyncio.wait((conversation.exited,), timeout=_REAP_WITHIN)
