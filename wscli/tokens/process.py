"""Running a command: no shell, a deadline, a limit on its output, and nothing of its group left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wscli.child import Child
from wscli.tokens.failed import SourceFailed

__all__ = ["Finished", "run"]

_LARGEST = 64 << 10


@dataclass(frozen=True, slots=True, repr=False)
class Finished:
    """How a command ended: its exit code (negative: the signal that killed it), stdout, and the end of stderr."""

    code: int
    output: bytes
    errors: bytes


async def run(
    argv: Sequence[str], *, shown: str, cwd: Path, environ: Mapping[str, str], stdin: bytes | None, timeout: float
) -> Finished:
    """Run a command to its end, which is when it has exited and its stdout is closed, as with ``$(...)`` in a shell.

    Whatever ends this call (a deadline of ``timeout`` seconds, more than 64 KiB of output, cancellation) kills the
    command's whole process group.

    Raises:
        SourceFailed: it cannot be started, takes too long, or says too much.

    """
    child = Child(most_output=_LARGEST)
    try:
        await child.start(argv, cwd=cwd, environ=environ, stdin=stdin)
    except (OSError, ValueError) as error:
        why = (error.strerror or "").lower() if isinstance(error, OSError) else "NUL in an argument"
        raise SourceFailed(f"cannot run the command '{shown}': {why}") from None
    ended = False
    try:
        async with asyncio.timeout(timeout):
            await child.over
        ended = not child.overflowed
    except TimeoutError:
        raise SourceFailed(f"the command '{shown}' took longer than {timeout:g} s and was killed") from None
    finally:
        await child.end(kill=not ended)
    if child.overflowed:
        raise SourceFailed(f"the command '{shown}' printed more than {_LARGEST >> 10} KiB and was killed")
    return Finished(child.code, bytes(child.output), bytes(child.errors))
