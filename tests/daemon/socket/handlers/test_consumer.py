"""``consume``: who may read by a name."""

from __future__ import annotations

import pytest

from tests.daemon.served import Served, served
from wscli.errors import NoInstance

__all__ = ["served"]


async def test_a_reader_that_comes_back_while_the_manager_stops_waits_for_the_next_one(served: Served) -> None:
    served.manager.stopping.set()
    with pytest.raises(NoInstance, match="the manager was stopped"):
        await served.ask("consume", {"channel": "calls", "consumer": "a", "format": "json"})
