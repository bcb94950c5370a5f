"""Running a hook's command: it reads an event on stdin, and its exit code tells its success."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from wscli.child import Child
from wscli.config.models.hooks import ConnectHook, HookPlan
from wscli.control.text import escape
from wscli.net.scrub import forms_of, without
from wscli.values import format_duration, shown

__all__ = ["GRACE", "STARTS_APART", "StartPacer", "environment", "run_command"]

GRACE = 0.5
"""Seconds from SIGTERM to SIGKILL."""
_MOST_SAID = 1 << 20
"""Bytes on stdout or stderr after which a command is killed."""
STARTS_APART = 0.005
"""Seconds between two starts over all hooks of a manager: each start blocks the loop for a millisecond or two."""
_LAST_WORDS_WITHIN = 0.1
_LONGEST_QUOTE = 200
_NOT_INHERITED = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "WSCLI_CONNECTION")
"""Variables of the manager's service manager (``sd_notify(3)``), and of a hook that started the manager."""


def environment(
    environ: Mapping[str, str], *, channel: str, instance: str, hook: str, connection: int | None = None
) -> dict[str, str]:
    """Make a command's environment: the manager's, and the variables that name the event."""
    inherited = {name: text for name, text in environ.items() if name not in _NOT_INHERITED}
    named = {"WSCLI_CHANNEL": channel, "WSCLI_INSTANCE": instance, "WSCLI_HOOK": hook}
    return {**inherited, **named, **({} if connection is None else {"WSCLI_CONNECTION": str(connection)})}


class StartPacer:
    """Lets the hooks of a manager start their commands in turn, ``STARTS_APART`` seconds apart."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._next = 0.0

    async def turn(self) -> None:
        """Wait until the next command may be started."""
        loop = asyncio.get_running_loop()
        async with self._lock:
            await asyncio.sleep(max(0.0, self._next - loop.time()))
            self._next = loop.time() + STARTS_APART


async def run_command(
    plan: HookPlan | ConnectHook,
    event: bytes,
    *,
    cwd: Path,
    environ: Mapping[str, str],
    secrets: Callable[[], Collection[str]] = tuple,
    output: bytearray | None = None,
) -> str | None:
    """Run a command until it exits; give the text of its failure, without the secrets known by then, or None.

    Its stdout is appended to ``output``, or discarded. After ``plan.timeout`` seconds, after 1 MiB on stdout or on
    stderr, and when this is cancelled, its process group gets SIGTERM, and SIGKILL ``GRACE`` seconds later. Background
    processes of a command that exited by itself are left alone.
    """
    child = Child(most_output=_MOST_SAID, most_errors=_MOST_SAID)
    stdout = asyncio.subprocess.DEVNULL if output is None else asyncio.subprocess.PIPE
    try:
        await child.start(plan.exec, cwd=cwd, environ=environ, stdin=event, stdout=stdout)
    except (OSError, ValueError) as error:
        return _not_started(plan.exec[0], error)
    ended = False
    try:
        async with asyncio.timeout(plan.timeout):
            await asyncio.wait((child.exited, child.over), return_when=asyncio.FIRST_COMPLETED)
        ended = not child.overflowed
        if ended and (child.code or output is not None):  # its children may hold its streams open
            await asyncio.wait((child.over,), timeout=_LAST_WORDS_WITHIN)
            ended = not child.overflowed
    except TimeoutError:
        return f"killed after {format_duration(plan.timeout)}"
    finally:
        await child.end(kill=not ended, grace=GRACE)
    if not ended:
        return f"killed after {_MOST_SAID >> 20} MiB on {'stderr' if output is None else 'stdout or stderr'}"
    if output is not None:
        output += child.output
    return _failure(child.code, bytes(child.errors), secrets())


def _not_started(program: str, error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"not found: {shown(program)}"
    why = (error.strerror or "").lower() if isinstance(error, OSError) else "NUL in an argument"
    return f"cannot run {shown(program)}: {why}"


def _failure(code: int, errors: bytes, secrets: Collection[str]) -> str | None:
    if code == 0:
        return None
    how = f"exited with {code}" if code > 0 else f"killed by {_signal_name(-code)}"
    lines = [line.strip() for line in errors.decode(errors="replace").splitlines() if line.strip()]
    if not lines:
        return how
    last = without(lines[-1], forms_of(secrets))  # before the cut, which may split a secret
    last = last if len(last) <= _LONGEST_QUOTE else f"{last[:_LONGEST_QUOTE]}..."
    return f"{how}: {escape(last)}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
