"""What the tests of the gateway share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from websockets.asyncio.client import ClientConnection

from tests.gateway.faced import Faced, faced, own_plan


@pytest_asyncio.fixture
async def it() -> AsyncIterator[Faced]:
    """A gateway in front of one eager channel, ``news``."""
    async with faced() as made:
        yield made


@pytest_asyncio.fixture
async def client(it: Faced) -> AsyncIterator[ClientConnection]:
    """A client of the channel."""
    async with it.client() as made:
        yield made


@pytest_asyncio.fixture
async def own() -> AsyncIterator[Faced]:
    """A gateway in front of ``news``, each of whose clients has an upstream of its own."""
    async with faced(own_plan()) as made:
        yield made
