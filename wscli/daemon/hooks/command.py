"""One run of a hook's command: it reads an event on stdin, has its time, and says by its exit code how it went."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from wscli.child import Child
from wscli.config.models.hooks import HookPlan
from wscli.control.escape import escape
from wscli.daemon.upstream.dial.scrub import SHORTEST, SHOWN
from wscli.values import format_duration, shown

__all__ = ["GRACE", "environment", "run"]

GRACE = 0.5
"""Seconds that a command has to end by itself once SIGTERM asked it to."""
_MOST_ERRORS = 1 << 20
"""Bytes on stderr: what one says beyond them, nobody reads."""
_LAST_WORDS_WITHIN = 0.1
_LONGEST_QUOTE = 200
_NOT_INHERITED = ("NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")
"""The manager's own line to its service manager (``sd_notify(3)``)."""


def environment(environ: Mapping[str, str], *, channel: str, instance: str, hook: str) -> dict[str, str]:
    """Make a command's environment: the manager's own, and what it is run for."""
    inherited = {name: text for name, text in environ.items() if name not in _NOT_INHERITED}
    return {**inherited, "WSCLI_CHANNEL": channel, "WSCLI_INSTANCE": instance, "WSCLI_HOOK": hook}


async def run(
    plan: HookPlan,
    event: bytes,
    *,
    cwd: Path,
    environ: Mapping[str, str],
    secrets: Callable[[], Collection[str]] = tuple,
) -> str | None:
    """Run a command until it exits, and say what went wrong, without the secrets by then; None: nothing did.

    Its stdout goes nowhere. After ``plan.timeout`` seconds, after 1 MiB on stderr, and when this is cancelled, its
    process group is asked to end by SIGTERM, and killed ``GRACE`` seconds later. What it left in the background when
    it exited by itself is not touched.
    """
    child = Child(most_errors=_MOST_ERRORS)
    try:
        await child.start(plan.exec, cwd=cwd, environ=environ, stdin=event, stdout=asyncio.subprocess.DEVNULL)
    except (OSError, ValueError) as error:
        return _not_started(plan.exec[0], error)
    ended = False
    try:
        async with asyncio.timeout(plan.timeout):
            await asyncio.wait((child.exited, child.over), return_when=asyncio.FIRST_COMPLETED)
        ended = not child.overflowed
        if ended and child.code:  # what it said may still be on its way; a child of its own may hold stderr for ever
            await asyncio.wait((child.over,), timeout=_LAST_WORDS_WITHIN)
    except TimeoutError:
        return f"killed after {format_duration(plan.timeout)}"
    finally:
        await child.end(kill=not ended, grace=GRACE)
    if not ended:
        return f"killed after {_MOST_ERRORS >> 20} MiB on stderr"
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
    last = lines[-1]
    for secret in sorted(secrets, key=len, reverse=True):  # before it is cut, which may be in the middle of one
        if len(secret) >= SHORTEST:
            last = last.replace(secret, SHOWN)
    last = last if len(last) <= _LONGEST_QUOTE else f"{last[:_LONGEST_QUOTE]}..."
    return f"{how}: {escape(last)}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
