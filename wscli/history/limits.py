"""How much a history keeps."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from wscli.values import Count, Size, StrictModel

__all__ = ["HistoryLimits"]


class HistoryLimits(StrictModel):
    """The replay window: whichever of the two is reached first."""

    keep: Annotated[Count, Field(ge=1, description="messages")] = 10_000
    max_size: Annotated[Size, Field(ge=1024, description="bytes of messages")] = 64 << 20
