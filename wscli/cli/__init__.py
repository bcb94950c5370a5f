"""The commands: one verb a file.

``main`` is the program. It imports the rest itself, so that an interrupt during start-up ends like any other.
"""

import gc
import signal
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(args: Sequence[str] | None = None) -> int:
    """Run a command line (by default the process's own) and give its exit code.

    Of a process's own it takes two collections out of the way that find nothing and cost a command a quarter of its
    time: those while modules are imported (``root`` turns the collector on again), and those at the interpreter's end.
    """
    try:
        if args is None:
            gc.disable()
        from wscli.cli.root import run_command_line

        code = run_command_line(sys.argv[1:] if args is None else list(args))
        if args is None:
            gc.freeze()
    except KeyboardInterrupt:
        return 130
    finally:
        if args is None:
            _end_by_signals()
    return code


def _end_by_signals() -> None:
    """Have a signal end the interpreter at once from now on: an exception so late would print a traceback."""
    for number in (signal.SIGINT, signal.SIGTERM):
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
