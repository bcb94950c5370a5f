"""What the tests of the daemon's rooms share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.daemon.scripted import Scripted, scripted


@pytest_asyncio.fixture
async def it() -> AsyncIterator[Scripted]:
    """A manager of one eager channel, ``news``, on scripted links; it ends with nothing left."""
    async with scripted() as made:
        yield made
