"""The config model of a history: where it is kept, and how much of it."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from wscli.values import Count, Duration, Size, StrictModel

__all__ = ["HistoryLimits"]


class HistoryLimits(StrictModel):
    """The replay window: whichever limit is reached first."""

    store: Annotated[
        Literal["memory", "disk"],
        Field(description="memory: gone with the manager; disk: kept through restarts and crashes, for `--consumer`"),
    ] = "memory"
    keep: Annotated[Count | None, Field(ge=1, description="messages; default: 10000 in memory, any number on disk")] = (
        None
    )
    max_size: Annotated[
        Size | None, Field(ge=1024, description="bytes of messages; default: 64MiB in memory, 1GiB on disk")
    ] = None
    max_age: Annotated[
        Duration | None,
        Field(gt=0, description="older messages are dropped, at the latest when the next message arrives"),
    ] = None
    sync: Annotated[
        Literal["full", "normal"],
        Field(description="of a disk: full survives a power cut; normal only the end of the process"),
    ] = "full"

    @property
    def most_messages(self) -> float:
        """Number of messages kept; infinity for any number."""
        if self.keep is not None:
            return self.keep
        return 10_000 if self.store == "memory" else math.inf

    @property
    def most_bytes(self) -> int:
        """Bytes of messages kept."""
        if self.max_size is not None:
            return self.max_size
        return 64 << 20 if self.store == "memory" else 1 << 30

    def horizon(self, now: float) -> float:
        """Return the time before which everything is dropped, on the clock of ``now``."""
        return -math.inf if self.max_age is None else now - self.max_age
