"""What the tests of the daemon's rooms share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.daemon.scripted import Scripted, channel_plan, scripted


@pytest_asyncio.fixture
async def it() -> AsyncIterator[Scripted]:
    """A manager of one eager channel, ``news``, on scripted links; it ends with nothing left."""
    async with scripted() as made:
        yield made


@pytest_asyncio.fixture
async def lazy() -> AsyncIterator[Scripted]:
    """The same with a lazy channel, which has no linger."""
    async with scripted(channel_plan(eager=False)) as made:
        yield made
