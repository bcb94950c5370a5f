"""A flood on one connection: its share of each turn of the loop, and that nothing of it is lost or reordered."""

from __future__ import annotations

import asyncio
import zlib
from contextlib import suppress

from tests.transport.conftest import Dials
from tests.transport.recorder import Recorder
from tests.transport.servers import CLOSE, PING, PONG, TEXT, Peer, close_payload, frame, sending
from wscli.transport.frames.turns import Turns

FLOOD = 131_072
MOST = 16_384
"""Frames of two bytes in one slice, and the rest of a share."""


async def most_in_a_turn(seen: Recorder, total: int) -> int:
    """Wait for so many messages, and give the largest number that one turn of the loop delivered."""
    most = before = 0
    while before < total:
        await asyncio.sleep(0)
        most, before = max(most, len(seen.messages) - before), len(seen.messages)
    return most


async def test_a_turn_delivers_a_bounded_number_of_empty_frames(dial: Dials) -> None:
    async with dial.upgraded(sending(frame(TEXT) * FLOOD)) as (_, seen):
        assert await most_in_a_turn(seen, FLOOD) <= MOST


async def test_a_turn_inflates_a_bounded_number_of_bytes() -> None:
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = (deflate.compress(b"a" * 1_000_000) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]

    async def script(peer: Peer) -> None:
        await peer.upgrade("Sec-WebSocket-Extensions: permessage-deflate")
        await peer.send(frame(TEXT, bomb, rsv=4) * 64)
        await peer.gone()

    dial = Dials("websockets")
    async with dial.served(script, compression="deflate", max_message=1 << 20) as (_, seen):
        assert await most_in_a_turn(seen, 64) <= 4


async def test_messages_keep_their_order_and_the_close_comes_last(dial: Dials) -> None:
    texts = [b"%d" % at for at in range(50_000)]
    data = b"".join(frame(TEXT, text) for text in texts) + frame(CLOSE, close_payload(4001, b"enough"))
    async with dial.upgraded(sending(data)) as (_, seen):
        assert (await seen.ended()).code == 4001
        assert seen.messages == texts


async def test_a_flood_is_paused_and_resumed_without_loss(dial: Dials) -> None:
    async with dial.upgraded(sending(frame(TEXT) * FLOOD)) as (link, seen):
        for count in (1, FLOOD // 4, FLOOD // 2):
            await seen.received(count)
            link.pause_reading()
            for _ in range(3):
                await asyncio.sleep(0)
            held = len(seen.messages)
            for _ in range(20):
                await asyncio.sleep(0)
            assert len(seen.messages) == held
            link.resume_reading()
        assert len(await seen.received(FLOOD)) == FLOOD


async def test_what_was_received_before_a_loss_is_delivered_before_the_end(dial: Dials) -> None:
    async with dial.upgraded(sending(frame(TEXT) * FLOOD)) as (link, seen):
        for _ in range(MOST):
            await asyncio.sleep(0)
            if link._backlog:  # type: ignore[attr-defined]
                break
        first = len(seen.messages)
        link._transport.abort()  # type: ignore[attr-defined]  # what a reset does as well
        assert (await seen.ended()).code == 1006
        assert len(seen.messages) > first


async def test_an_abort_does_not_wait_for_the_flood(dial: Dials) -> None:
    async with dial.upgraded(sending(frame(TEXT) * FLOOD)) as (link, seen):
        await seen.received(1)
        link.abort()
        await seen.ended()
        assert len(seen.messages) < FLOOD


async def test_of_a_flood_of_pings_the_last_are_answered(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        await peer.upgrade()
        await peer.send(b"".join(frame(PING, b"%d" % at) for at in range(3000)))
        answered = []
        while b"2999" not in answered:
            opcode, payload, *_ = await peer.read_frame()
            assert opcode == PONG
            answered.append(payload)
        assert len(answered) < 1000
        await peer.send(frame(TEXT, b"done"))
        with suppress(ConnectionError):
            await peer.gone()

    async with dial.served(script) as (_, seen):
        assert await seen.received(1) == [b"done"]


async def test_those_that_wait_take_turns() -> None:
    turns, order = Turns(), []

    class Taker:
        def __init__(self, name: str, shares: int) -> None:
            self.name, self.shares = name, shares

        def take_turn(self) -> None:
            order.append(self.name)
            self.shares -= 1
            if self.shares:
                turns.wait(self)

    for taker in (Taker("flood", 3), Taker("calm", 1), Taker("other", 2)):
        turns.wait(taker)
    assert turns.crowded
    for _ in range(6):
        await asyncio.sleep(0)
    assert not turns.crowded
    assert order == ["flood", "calm", "other", "flood", "other", "flood"]
