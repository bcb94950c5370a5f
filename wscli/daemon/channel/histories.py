"""Opens the histories of an instance, in memory or on disk."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

from wscli.clock import Clock
from wscli.control.paths import state_directory
from wscli.database import open_database
from wscli.history.limits import HistoryLimits
from wscli.history.memory import History
from wscli.history.sqlite.file import KIND
from wscli.history.sqlite.log import SqliteLog
from wscli.history.write_behind import WriteBehindHistory

__all__ = ["Histories"]


class Histories:
    """Opens the histories of one instance; ``environ`` says where, and ``clock`` stamps the messages."""

    def __init__(self, instance: str, environ: Mapping[str, str], clock: Clock) -> None:
        self._instance = instance
        self._environ = environ
        self._clock = clock

    def open(
        self,
        channel: str,
        limits: HistoryLimits,
        *,
        on_fault: Callable[[str | None], None],
        on_full: Callable[[bool], None],
    ) -> History:
        """Open the history of a channel.

        Raises:
            WscliError: its file cannot be used, or is damaged.
        """
        if limits.store == "memory":
            return History(limits, clock=self._clock)
        log = SqliteLog(self.path(channel), limits)
        return WriteBehindHistory(log, clock=self._clock, on_fault=on_fault, on_full=on_full)

    def check(self, channel: str) -> None:
        """Check that the file of a channel can be opened.

        Raises:
            WscliError: it cannot.
        """
        open_database(self.path(channel), KIND).close()

    def path(self, channel: str) -> Path:
        """Return the file of a channel: its name with safe characters only, and a hash of it."""
        readable = re.sub(r"[^A-Za-z0-9_-]", "_", channel)[:40]
        different = sha256(channel.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        return Path(state_directory(self._environ)) / self._instance / f"{readable}.{different}.db"
