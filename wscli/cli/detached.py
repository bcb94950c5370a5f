"""``up -d``, as the manager in the background sees it: its first words go into a pipe, the rest into its log."""

from __future__ import annotations

import contextlib
import json
import os

from wscli.control.protocol import failure
from wscli.errors import WscliError

__all__ = ["Starter"]


class Starter:
    """The command that waits for our first words: that the manager is up, or why it is not.

    Later words are not for it: its descriptor is closed, and the number may be another's by then.
    """

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)
        self._descriptor: int | None = descriptor

    def is_up(self) -> None:
        """Say that the socket answers."""
        self._tell({"pid": os.getpid()})

    def failed(self, error: WscliError) -> None:
        """Say why it does not come up."""
        self._tell(failure(error))

    def _tell(self, words: dict[str, object]) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(BrokenPipeError):  # whoever started it is gone
                os.write(descriptor, json.dumps(words).encode())
            os.close(descriptor)
