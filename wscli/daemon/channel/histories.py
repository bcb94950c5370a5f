"""Opens the histories of an instance, in memory or on disk, and checks that their files are still there."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

from wscli.clock import Clock
from wscli.control.paths import state_directory
from wscli.database.opening import open_database
from wscli.database.owned_files import OwnedFiles
from wscli.history.limits import HistoryLimits
from wscli.history.memory import History
from wscli.history.sqlite.file import KIND
from wscli.history.sqlite.log import SqliteLog
from wscli.history.write_behind import WriteBehindHistory
from wscli.timing import OneShot, Schedule, call_later

__all__ = ["Histories"]

LOOK = 2.0
"""Seconds between two looks at the files: a channel that writes nothing would not notice their loss."""


class Histories:
    """Opens the histories of one instance; ``environ`` says where, and ``clock`` stamps the messages."""

    def __init__(
        self, instance: str, environ: Mapping[str, str], clock: Clock, *, schedule: Schedule = call_later
    ) -> None:
        self._instance = instance
        self._environ = environ
        self._clock = clock
        self._on_disk: list[WriteBehindHistory] = []
        self._timer = OneShot(schedule)

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
            WscliError: its file cannot be used, is damaged, or another process uses it.
        """
        if limits.store == "memory":
            return History(limits, clock=self._clock)
        log = SqliteLog(self.path(channel), limits)
        history = WriteBehindHistory(log, clock=self._clock, on_fault=on_fault, on_full=on_full)
        self._on_disk.append(history)
        if not self._timer.pending:
            self._timer.start(LOOK, self._look)
        return history

    def _look(self) -> None:
        self._on_disk = [history for history in self._on_disk if history.look()]
        if self._on_disk:
            self._timer.start(LOOK, self._look)

    def close(self) -> None:
        """Stop looking: the manager ends."""
        self._timer.cancel()

    def check(self, channel: str) -> None:
        """Check that the file of a channel can be opened.

        Raises:
            WscliError: it cannot.
        """
        path = self.path(channel)
        owned = OwnedFiles(path)
        try:
            open_database(path, KIND).close()
        finally:
            owned.release()

    def path(self, channel: str) -> Path:
        """Return the file of a channel: its name with safe characters only, and a hash of it."""
        readable = re.sub(r"[^A-Za-z0-9_-]", "_", channel)[:40]
        different = sha256(channel.encode("utf-8", "surrogateescape")).hexdigest()[:12]
        return Path(state_directory(self._environ)) / self._instance / f"{readable}.{different}.db"
