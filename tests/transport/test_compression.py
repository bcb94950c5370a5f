"""Compression (RFC 7692), which the default adapter negotiates and the fast one never offers."""

from __future__ import annotations

import zlib

import pytest

from tests.transport.conftest import Dials
from tests.transport.recorder import Recorder
from tests.transport.servers import BINARY, CONT, TEXT, Peer, frame
from wscli.transport.open import Adapter

DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"
RSV1 = 4


@pytest.fixture
def adapter() -> Adapter:
    """Only this one compresses."""
    return "websockets"


class Deflater:
    """A server's side of the compression."""

    def __init__(self) -> None:
        self._out = zlib.compressobj(wbits=-15)
        self._in = zlib.decompressobj(wbits=-15)

    def deflate(self, payload: bytes) -> bytes:
        return (self._out.compress(payload) + self._out.flush(zlib.Z_SYNC_FLUSH))[:-4]

    def inflate(self, payload: bytes) -> bytes:
        return self._in.decompress(payload + b"\x00\x00\xff\xff")


async def test_messages_are_compressed_both_ways(dial: Dials) -> None:
    side = Deflater()
    text = b"again and again and again"

    async def script(peer: Peer) -> None:
        await peer.upgrade(DEFLATE)
        assert "permessage-deflate" in peer.headers["sec-websocket-extensions"]
        for _ in range(3):
            sent = await peer.read_frame()
            assert (sent.opcode, sent.rsv, side.inflate(sent.payload)) == (TEXT, RSV1, text)
            await peer.send(frame(TEXT, side.deflate(text), rsv=RSV1))
        await peer.send(frame(BINARY, b"as it is"))
        await peer.gone()

    async with dial.served(script, compression="deflate") as (link, seen):
        for _ in range(3):
            await link.send(text, binary=False)
        assert await seen.received(4) == [text, text, text, b"as it is"]
        assert dial.timeline.steps[-1].detail == "HTTP 101, permessage-deflate"


async def test_a_server_that_does_not_compress_is_fine(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        assert await peer.read_frame() == (TEXT, b"plain", True, 0)
        await peer.send(frame(TEXT, b"plain as well"))
        await peer.gone()

    async with dial.upgraded(script, compression="deflate") as (link, seen):
        await link.send(b"plain", binary=False)
        assert await seen.received(1) == [b"plain as well"]


async def test_a_compressed_message_may_come_in_fragments(dial: Dials) -> None:
    data = Deflater().deflate("grüße ".encode() * 1000)

    async def script(peer: Peer) -> None:
        await peer.upgrade(DEFLATE)
        await peer.send(frame(TEXT, data[:5], fin=False, rsv=RSV1) + frame(CONT, data[5:9], fin=False))
        await peer.send(frame(CONT, data[9:]))
        await peer.gone()

    async with dial.served(script, compression="deflate") as (_, seen):
        assert await seen.received(1) == ["grüße ".encode() * 1000]


@pytest.mark.parametrize("fragments", [1, 3])
async def test_a_bomb_ends_in_1009_before_it_is_inflated(dial: Dials, fragments: int) -> None:
    """512 MiB in half a megabyte, in one frame and over fragments of which the first is exactly as large as allowed."""
    limit = 1 << 20

    def zeros(count: int) -> bytes:
        return Deflater().deflate(bytes(count)) + b"\x00\x00\xff\xff"

    if fragments == 1:
        bomb = [frame(BINARY, zeros(1 << 24) * 32, rsv=RSV1)]
    else:
        bomb = [frame(BINARY, zeros(limit), fin=False, rsv=RSV1), frame(CONT, zeros(1 << 24), fin=False) * fragments]
    failure, code, seen = await dial.ended_by(*bomb, headers=(DEFLATE,), compression="deflate", max_message=limit)
    assert (failure.code, failure.by, code, seen.messages) == (1009, "us", 1009, [])
    assert failure.text == "closed by us: 1009 a message is larger than max_message (1MiB)"


async def test_a_pause_holds_although_little_data_becomes_many_messages(dial: Dials) -> None:
    """One packet of a hundred kilobytes is a hundred megabytes of messages: not all are inflated before the pause."""

    class Pausing(Recorder):
        def on_batch(self, payloads: list[bytes], kinds: bytes | None) -> None:
            super().on_batch(payloads, kinds)
            link.pause_reading()

    async def script(peer: Peer) -> None:
        side = Deflater()
        await peer.upgrade(DEFLATE)
        await peer.send(b"".join(frame(BINARY, side.deflate(bytes(1 << 20)), rsv=RSV1) for _ in range(100)))
        await peer.gone()

    async with dial.served(script, Pausing(), compression="deflate") as (link, seen):
        await seen.received(1)
        while len(seen.messages) < 100:
            before = len(seen.messages)
            link.resume_reading()
            await seen.received(before + 1)
            assert len(seen.messages) - before < 10


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (frame(TEXT, b"\xff\xff\xff", rsv=RSV1), 1002),
        (frame(CONT, b"x", rsv=RSV1), 1002),
        (frame(TEXT, b"x", rsv=6), 1002),
        (frame(TEXT, Deflater().deflate(b"\xff"), rsv=RSV1), 1007),
    ],
)
async def test_what_cannot_be_inflated_ends_in_1002_and_text_that_is_no_utf8_in_1007(
    dial: Dials, bad: bytes, code: int
) -> None:
    failure, answer, _ = await dial.ended_by(bad, headers=(DEFLATE,), compression="deflate")
    assert (failure.code, failure.by, answer) == (code, "us", code)
