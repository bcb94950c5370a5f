"""The commands: one verb a file.

``main`` is the program. It imports the rest itself, so that an interrupt during start-up ends like any other.
"""

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(args: Sequence[str] | None = None) -> int:
    """Run a command line (by default the process's own) and give its exit code."""
    try:
        from wscli.cli.root import run

        return run(sys.argv[1:] if args is None else list(args))
    except KeyboardInterrupt:
        return 130
