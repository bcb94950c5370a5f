"""Compression (RFC 7692), which the default adapter negotiates and the fast one never offers."""

from __future__ import annotations

import zlib

import pytest

from tests.transport.conftest import Dials
from tests.transport.recorder import Recorder
from tests.transport.servers import BINARY, CONT, TEXT, Peer, frame, serve
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
    side = Deflater()

    async def script(peer: Peer) -> None:
        await peer.upgrade(DEFLATE)
        data = side.deflate("grüße ".encode() * 1000)
        await peer.send(frame(TEXT, data[:5], fin=False, rsv=RSV1) + frame(CONT, data[5:9], fin=False))
        await peer.send(frame(CONT, data[9:]))
        await peer.gone()

    async with dial.served(script, compression="deflate") as (_, seen):
        assert await seen.received(1) == ["grüße ".encode() * 1000]


@pytest.mark.parametrize("fragments", [1, 3])
async def test_a_bomb_ends_in_1009_before_it_is_inflated(dial: Dials, fragments: int) -> None:
    """512 MiB in half a megabyte, in one frame and over fragments of which the first is exactly as large as allowed."""
    codes: list[int | None] = []
    limit = 1 << 20

    def zeros(count: int) -> bytes:
        return Deflater().deflate(bytes(count)) + b"\x00\x00\xff\xff"

    async def script(peer: Peer) -> None:
        await peer.upgrade(DEFLATE)
        if fragments == 1:
            await peer.send(frame(BINARY, zeros(1 << 24) * 32, rsv=RSV1))
        else:
            await peer.send(frame(BINARY, zeros(limit), fin=False, rsv=RSV1))
            await peer.send(frame(CONT, zeros(1 << 24), fin=False) * fragments)
        codes.append(await peer.read_close())

    async with serve(script) as server:
        _, seen = await dial(server.url, compression="deflate", max_message=limit)
        failure = await seen.ended()
        await server.scripts_done()
        assert (failure.code, failure.by, codes, seen.messages) == (1009, "us", [1009], [])


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
    "bad", [frame(TEXT, b"\xff\xff\xff", rsv=RSV1), frame(CONT, b"x", rsv=RSV1), frame(TEXT, b"x", rsv=6)]
)
async def test_what_cannot_be_inflated_ends_in_1002(dial: Dials, bad: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.upgrade(DEFLATE)
        await peer.send(bad)
        assert await peer.read_close() == 1002

    async with serve(script) as server:
        _, seen = await dial(server.url, compression="deflate")
        failure = await seen.ended()
        await server.scripts_done()
        assert (failure.code, failure.by) == (1002, "us")


async def test_compressed_text_that_is_no_utf8_ends_in_1007(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        await peer.upgrade(DEFLATE)
        await peer.send(frame(TEXT, Deflater().deflate(b"\xff"), rsv=RSV1))
        assert await peer.read_close() == 1007

    async with serve(script) as server:
        _, seen = await dial(server.url, compression="deflate")
        assert (await seen.ended()).code == 1007
        await server.scripts_done()
