"""``queue`` and ``outbox``: the arguments that a client may send."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.daemon.served import Served, block, serve
from wscli.control.protocol import request_line
from wscli.core.states import ChannelState
from wscli.errors import WscliError


@pytest_asyncio.fixture
async def boxed() -> AsyncIterator[Served]:
    """A server whose channel ``calls`` is not ready."""
    async with serve() as running:
        await running.bring(running.calls, ChannelState.WAITING)
        yield running


async def test_a_key_that_is_too_long_is_refused(boxed: Served) -> None:
    with pytest.raises(WscliError, match=f"the key '{'k' * 40}' is over 1024 bytes") as refused:
        await boxed.ask("queue", {"channel": "calls", "bytes": 1, "key": "k" * 1025}, b"a")
    assert refused.value.hint
    assert await boxed.ask("queue", {"channel": "calls", "bytes": 1, "key": "é" * 512}, b"a")


async def test_an_empty_block_queues_no_message_and_has_no_outcomes(boxed: Served) -> None:
    line = request_line("queue", {"channel": "calls", "watch": True})
    begun, none = await boxed.exchange(line + block(b"") + b'{"outcomes": true}\n')
    assert begun["ok"]
    assert none["result"] == {"queued": 0, "known": 0, "first": 0, "state": "queued"}


async def test_the_command_that_lists_the_messages_of_a_channel_can_be_pasted(boxed: Served) -> None:
    channel = boxed.manager.channel("rooms/a b")
    channel.stop()
    await boxed.ask("queue", {"channel": channel.name, "bytes": 1}, b"a")
    assert channel.problems.texts() == ["outbox: 1 queued while it is stopped; see `wscli outbox ls 'rooms/a b'`"]
