"""Watches the files of the instance that this process owns, and restores removed ones."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable

from wscli.errors import WscliError
from wscli.problems import Problems
from wscli.process.ownership import Ownership
from wscli.timing import OneShot, Schedule, call_later

__all__ = ["OwnershipWatch"]

INTERVAL = 2.0
"""Seconds between two looks, each of which takes a few calls of lstat(2)."""

logger = logging.getLogger("wscli.manager")


class OwnershipWatch:
    """Looks after an instance's files from ``start`` to ``close``.

    ``on_listener`` is given the socket that replaces a removed one. A failure is a stated problem.
    """

    def __init__(
        self,
        owned: Ownership,
        problems: Problems,
        on_listener: Callable[[socket.socket], None],
        *,
        schedule: Schedule = call_later,
    ) -> None:
        self._owned = owned
        self._problems = problems
        self._on_listener = on_listener
        self._timer = OneShot(schedule)

    def start(self) -> None:
        """Look every ``INTERVAL`` seconds."""
        self._timer.start(INTERVAL, self._look)

    def close(self) -> None:
        """Stop looking."""
        self._timer.cancel()

    def _look(self) -> None:
        listener = self._owned.listener
        try:
            made = self._owned.restore()
        except (WscliError, OSError) as error:
            self._problems.state("instance", f"{error}; tries again every {INTERVAL:.0f}s")
        else:
            self._problems.mended("instance")
            if made:
                text = "removed by another program, and made anew: %s"
                logger.warning(text, ", ".join(made), extra={"event": "instance-restored"})
        if self._owned.listener is not listener:
            self._on_listener(self._owned.listener)
        self.start()
