"""What the tests of an upstream's parts share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.daemon.scripted import Scripted, channel_plan, scripted
from tests.daemon.upstream.peers import Bench, bench
from wscli.config.models.upstream import Rotate


@pytest_asyncio.fixture
async def b() -> AsyncIterator[Bench]:
    async with bench() as made:
        yield made


@pytest_asyncio.fixture
async def hourly() -> AsyncIterator[Scripted]:
    """A manager of one eager channel, ``news``, whose connection is replaced every hour."""
    async with scripted(channel_plan(rotate=Rotate(max_age=3600.0))) as made:
        yield made
