"""A process that keeps messages until it is killed; ``python victim.py FILE`` prints what is committed.

Message N reads ``N``. A line is printed after each commit, so whoever reads it has been promised as much.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from wscli.clock import SystemClock
from wscli.history.limits import HistoryLimits
from wscli.history.sqlite.log import SqliteLog
from wscli.history.write_behind import WriteBehindHistory

BATCH = 50


async def _keep(path: Path) -> None:
    history = WriteBehindHistory(SqliteLog(path, HistoryLimits(store="disk")), clock=SystemClock())
    promised = -1
    while True:
        first = history.last + 1
        history.append([b"%d" % number for number in range(first, first + BATCH)], None)
        await asyncio.sleep(0.001)
        if history.committed != promised:
            promised = history.committed
            os.write(1, b"%d\n" % promised)


if __name__ == "__main__":
    asyncio.run(_keep(Path(sys.argv[1])))
