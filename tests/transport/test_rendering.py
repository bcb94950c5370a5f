"""Messages that are rendered as they are written: at once where none waits, and not before it is their turn."""

from __future__ import annotations

import asyncio

import pytest

from tests.transport.conftest import Dials, begun
from tests.transport.servers import BINARY, TEXT, Peer, silent
from wscli.errors import NotSent, OutcomeUnknown


async def test_a_message_is_rendered_and_written_at_once_where_none_waits(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        assert await peer.read_frame() == (TEXT, b"one", True, 0)
        assert await peer.read_frame() == (BINARY, b"two", True, 0)

    async with dial.upgraded(script) as (link, seen):
        assert link.try_send(lambda: (b"one", False))
        await link.send_rendered(lambda: (b"two", True))
        await seen.ended()


async def test_while_the_kernel_takes_nothing_nothing_is_rendered(dial: Dials) -> None:
    may_read = asyncio.Event()
    rendered: list[str] = []
    received: list[bytes] = []

    def render() -> tuple[bytes, bool]:
        rendered.append("late")
        return b"2", True

    async def script(peer: Peer) -> None:
        peer.pause()
        await may_read.wait()
        peer.resume()
        received.extend([(await peer.read_frame()).payload[:1] for _ in range(2)])

    async with dial.upgraded(script) as (link, seen):
        first = await begun(link.send(b"1" * (16 << 20), binary=True))
        assert not link.try_send(render)
        late = await begun(link.send_rendered(render))
        assert rendered == []
        may_read.set()
        await asyncio.gather(first, late)
        await seen.ended()
        assert (received, rendered) == ([b"1", b"2"], ["late"])


async def test_a_message_that_cannot_be_rendered_is_not_sent_and_the_next_one_is(dial: Dials) -> None:
    def render() -> tuple[bytes, bool]:
        raise NotSent("'{var.x}' has no value")

    async def script(peer: Peer) -> None:
        assert await peer.read_frame() == (TEXT, b"next", True, 0)

    async with dial.upgraded(script) as (link, seen):
        with pytest.raises(NotSent, match="no value"):
            link.try_send(render)
        with pytest.raises(NotSent, match="no value"):
            await link.send_rendered(render)
        await link.send(b"next", binary=False)
        await seen.ended()


async def test_after_the_close_nothing_is_rendered(dial: Dials) -> None:
    async with dial.upgraded(silent) as (link, _):
        closing = await begun(link.close(deadline=0.1))
        with pytest.raises(NotSent):
            link.try_send(lambda: pytest.fail("rendered"))
        with pytest.raises(NotSent):
            await link.send_rendered(lambda: pytest.fail("rendered"))
        await closing


async def test_a_message_written_at_once_is_sent_or_says_when_it_is(dial: Dials) -> None:
    may_read = asyncio.Event()

    async def script(peer: Peer) -> None:
        peer.pause()
        await may_read.wait()
        peer.resume()
        assert len((await peer.read_frame()).payload) == 1
        assert len((await peer.read_frame()).payload) == 16 << 20

    async with dial.upgraded(script) as (link, seen):
        assert link.try_send(lambda: (b"1", False)) is True
        taken = link.try_send(lambda: (b"2" * (16 << 20), True))
        assert not isinstance(taken, bool)
        taking = await begun(taken())
        may_read.set()
        await taking
        await seen.ended()


async def test_the_outcome_of_a_message_written_at_once_is_unknown_where_the_connection_ends(dial: Dials) -> None:
    async with dial.upgraded(silent) as (link, _):
        taken = link.try_send(lambda: (b"2" * (16 << 20), True))
        assert not isinstance(taken, bool)
        taking = await begun(taken())
        link.abort()
        with pytest.raises(OutcomeUnknown):
            await taking
