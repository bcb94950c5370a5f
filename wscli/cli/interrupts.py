"""Signals and a deadline, for verbs that write a stream: prompt, and without tearing what is being written."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from types import FrameType

from wscli.control.output import Output
from wscli.errors import ExitCode, TimedOut

__all__ = ["interruptible", "uninterrupted", "woken"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)


@contextlib.contextmanager
def interruptible(output: Output, timeout: float | None) -> Iterator[int | None]:
    """Let SIGINT, SIGTERM and a deadline end what stands inside, wherever it blocks; gives what `woken` gives.

    Raises:
        KeyboardInterrupt: SIGINT.
        SystemExit: SIGTERM, with 143.
        TimedOut: ``timeout`` seconds have passed.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        output.interrupt(_reason(number, timeout))

    before = [signal.signal(number, interrupt) for number in _SIGNALS]
    try:
        if timeout is not None:
            signal.setitimer(signal.ITIMER_REAL, max(timeout, 1e-6))
        with woken() as wake:
            yield wake
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in zip(_SIGNALS, before, strict=True):
            signal.signal(number, handler)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Have a SIGINT that comes meanwhile interrupt at the end, so that what stands inside is done whole."""
    numbers: list[int] = []
    try:
        before = signal.signal(signal.SIGINT, lambda number, frame: numbers.append(number))
    except ValueError:  # signals are the main thread's
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if numbers and callable(before):
        before(numbers[0], None)


@contextlib.contextmanager
def woken() -> Iterator[int | None]:
    """Give a descriptor that becomes readable with a signal, for those who wait for others; None in other threads.

    A signal that comes just before a wait, or that another thread takes, does not interrupt it; this ends it, and then
    the signal's handler is called.
    """
    waking, wake = os.pipe()
    os.set_blocking(wake, False)
    try:
        try:
            before = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        except ValueError:  # signals are the main thread's
            yield None
            return
        try:
            yield waking
        finally:
            signal.set_wakeup_fd(before)
    finally:
        os.close(waking)
        os.close(wake)


def _reason(number: int, timeout: float | None) -> BaseException:
    if number == signal.SIGINT:
        return KeyboardInterrupt()
    if number == signal.SIGTERM:
        return SystemExit(ExitCode.TERMINATED)
    return TimedOut(f"the {timeout or 0:g} s of --timeout are over", "--timeout waits longer")
