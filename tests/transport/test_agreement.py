"""Both adapters make the same of the same bytes, however broken they are and however they are cut into packets."""

from __future__ import annotations

import asyncio
import random

import pytest

from tests.transport.conftest import Dials, needs_picows
from tests.transport.servers import BINARY, CLOSE, CONT, PING, PONG, TEXT, Peer, close_payload, frame
from wscli.transport.open import Adapter

LIMIT = 2000


def some_frame(chance: random.Random) -> bytes:
    """A frame that is mostly right, and never wrong in two ways, since either may be noticed first."""
    payload = chance.choice([b"", b"plain", "grüße €".encode(), chance.randbytes(3), b"x" * chance.randrange(LIMIT)])
    kind = chance.random()
    if kind < 0.5:
        return frame(chance.choice([TEXT, BINARY]), payload)
    if kind < 0.75:
        cut = chance.randrange(len(payload) + 1)
        return frame(TEXT, payload[:cut], fin=False) + frame(PING, b"between") + frame(CONT, payload[cut:])
    if kind < 0.9:
        return frame(chance.choice([PING, PONG]), payload[:125])
    if kind < 0.94:
        code = chance.choice([1000, 1001, 4000, 1005, 999, 5000])
        return frame(CLOSE, chance.choice([b"", b"x", close_payload(code, b"why"), close_payload(1000, b"\xff")]))
    return chance.choice(
        [
            frame(CONT, payload),
            frame(TEXT, payload, fin=False),
            frame(TEXT, b"x" * (LIMIT + 1)),
            frame(BINARY, payload, rsv=chance.choice([1, 2, 4])),
            frame(TEXT, payload, mask=b"mask"),
            frame(chance.choice([0x3, 0xB]), payload[:9]),
            frame(PING, b"x" * 126),
            frame(PING, payload[:9], fin=False),
        ]
    )


async def outcome(data: bytes, cuts: list[int], adapter: Adapter) -> tuple[object, ...]:
    """What becomes of a stream that ends with the connection's end."""

    async def script(peer: Peer) -> None:
        for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            await peer.send(data[start:end])
        peer.writer.write_eof()
        await peer.gone()

    async with Dials(adapter).upgraded(script, max_message=LIMIT) as (_, seen), asyncio.timeout(30):
        failure = await seen.ended()
        return seen.messages, seen.kinds, failure.code, failure.by, failure.close_reason


@needs_picows
@pytest.mark.parametrize("seed", range(100))
async def test_the_adapters_agree(seed: int) -> None:
    chance = random.Random(seed)
    data = b"".join(some_frame(chance) for _ in range(chance.randrange(1, 12)))
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randrange(4)))
    assert await outcome(data, cuts, "picows") == await outcome(data, cuts, "websockets")
