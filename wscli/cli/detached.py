"""``up -d``, as the manager in the background sees it: its first words go into a pipe, the rest into its log."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from wscli.control.protocol import failure
from wscli.errors import WscliError

__all__ = ["run_detached"]


def run_detached(file: Path, status_fd: int) -> int:
    """Run the manager; say through the descriptor that it is up, or why it is not, and close it.

    Raises:
        WscliError: why it did not come up; it is said in the log as well.

    """
    os.set_inheritable(status_fd, False)
    starter = _Starter(status_fd)
    try:
        from wscli.config import load
        from wscli.daemon.run import run

        return run(load(file, os.environ), os.environ, on_ready=lambda: starter.tell({"pid": os.getpid()}))
    except WscliError as error:
        starter.tell(failure(error))
        raise


class _Starter:
    """The command that waits for our first words."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor

    def tell(self, words: dict[str, object]) -> None:
        """Say the first words; later ones are not for it, and its descriptor's number is another's by then."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(BrokenPipeError):  # whoever started it is gone
                os.write(descriptor, json.dumps(words).encode())
            os.close(descriptor)
