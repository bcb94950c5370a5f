"""What both adapters receive, by RFC 6455: messages, fragments, text, limits, and frames that must not be."""

from __future__ import annotations

import os
import struct

import pytest

from tests.transport.conftest import Dials
from tests.transport.servers import BINARY, CLOSE, CONT, PING, PONG, TEXT, Peer, close_payload, frame, serve
from wscli.core.events import FailureKind

SIZES = [0, 1, 125, 126, 127, 65535, 65536, 300_000]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_a_message_of_any_length_form_arrives_whole(dial: Dials, size: int, opcode: int) -> None:
    payload = (b"0123456789" * (size // 10 + 1))[:size]

    async def script(peer: Peer) -> None:
        await peer.upgrade(then=frame(opcode, payload))
        await peer.gone()

    async with dial.served(script) as (_, seen):
        assert await seen.received(1) == [payload]
        assert seen.kinds == ("t" if opcode == TEXT else "b")


async def test_a_large_message_sent_in_drips_arrives_whole(dial: Dials) -> None:
    data = frame(BINARY, os.urandom(70_000))

    async def script(peer: Peer) -> None:
        for at in range(0, len(data), 7001):
            await peer.send(data[at : at + 7001])
        await peer.gone()

    async with dial.upgraded(script) as (_, seen):
        assert await seen.received(1) == [data[10:]]


async def test_every_byte_may_come_in_a_packet_of_its_own(dial: Dials) -> None:
    data = frame(TEXT, "grüße".encode()) + frame(PING, b"?") + frame(TEXT, b"a" * 130)

    async def script(peer: Peer) -> None:
        await peer.read_request()
        for byte in peer.answer() + data:
            await peer.send(bytes([byte]))
        assert await peer.read_frame() == (PONG, b"?", True, 0)
        await peer.gone()

    async with dial.served(script) as (_, seen):
        assert await seen.received(2) == ["grüße".encode(), b"a" * 130]


async def test_messages_of_one_packet_come_in_order_with_their_kinds(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(frame(TEXT, b"one") + frame(BINARY, b"\xff") + frame(TEXT, b"") + frame(TEXT, b"three"))
        await peer.gone()

    async with dial.upgraded(script) as (_, seen):
        assert await seen.received(4) == [b"one", b"\xff", b"", b"three"]
        assert seen.kinds == "tbtt"


async def test_what_comes_right_behind_the_upgrade_is_not_lost(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        await peer.upgrade(then=frame(TEXT, b"early") + frame(CLOSE, close_payload(4001, b"that is all")))
        await peer.read_close()

    async with dial.served(script) as (_, seen):
        assert seen.batches == [], "a batch came before open_connection returned"
        assert await seen.received(1) == [b"early"]
        assert (await seen.ended()).code == 4001


async def test_a_batch_is_at_most_256_kib_unless_one_message_is_larger(dial: Dials) -> None:
    sizes = [200_000, 300_000, 100, 100_000, 200_000, 10]

    async def script(peer: Peer) -> None:
        await peer.send(b"".join(frame(BINARY, b"x" * size) for size in sizes) + frame(TEXT, b"a" * 100) * 9000)
        await peer.gone()

    async with dial.upgraded(script) as (_, seen):
        assert [len(message) for message in await seen.received(9006)] == sizes + [100] * 9000
        for payloads, _ in seen.batches:
            assert len(payloads) == 1 or sum(map(len, payloads)) <= 256 * 1024
        assert len(seen.batches) < 1000, "messages of one read came one by one"


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_fragments_are_joined_and_control_frames_between_them_are_heard(dial: Dials, opcode: int) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(frame(opcode, b"to", fin=False) + frame(PING, b"a") + frame(CONT, b"", fin=False))
        assert await peer.read_frame() == (PONG, b"a", True, 0)
        await peer.send(frame(PONG, b"unasked") + frame(CONT, b"geth", fin=False) + frame(CONT, b"er"))
        await peer.gone()

    async with dial.upgraded(script) as (_, seen):
        assert await seen.received(1) == [b"together"]
        assert seen.kinds == ("t" if opcode == TEXT else "b")


async def test_pings_are_answered_in_order_with_their_payloads(dial: Dials) -> None:
    pings = [b"", b"1", b"x" * 125, bytes(range(100)), b"last"]

    async def script(peer: Peer) -> None:
        await peer.upgrade(then=frame(PING, b"early"))
        assert await peer.read_frame() == (PONG, b"early", True, 0)
        await peer.send(b"".join(frame(PING, ping) for ping in pings))
        for ping in pings:
            assert await peer.read_frame() == (PONG, ping, True, 0)
        await peer.send(frame(TEXT, b"done"))
        await peer.gone()

    async with dial.served(script) as (_, seen):
        assert await seen.received(1) == [b"done"]


async def test_text_split_inside_a_character_is_text(dial: Dials) -> None:
    euro = "€".encode()

    async def script(peer: Peer) -> None:
        await peer.send(frame(TEXT, euro[:1], fin=False) + frame(CONT, euro[1:]))
        await peer.gone()

    async with dial.upgraded(script) as (_, seen):
        assert await seen.received(1) == [euro]


@pytest.mark.parametrize(
    "bad",
    [
        frame(TEXT, b"\xff"),
        frame(TEXT, b"\xe2\x82"),  # a character without its end
        frame(TEXT, b"\xed\xa0\x80"),  # a surrogate, as no UTF-8 holds it (RFC 3629, section 3)
        frame(TEXT, b"\xc0\xaf"),  # a slash in more bytes than it needs
        frame(TEXT, b"a", fin=False) + frame(CONT, b"\xff"),
        frame(TEXT, b"\xe2", fin=False) + frame(CONT, b"\x82"),
    ],
    ids=["lone byte", "cut", "surrogate", "overlong", "in a fragment", "cut over fragments"],
)
async def test_text_that_is_not_utf8_ends_the_connection_with_1007(dial: Dials, bad: bytes) -> None:
    """What came before it is delivered, what comes behind it is not (RFC 6455, section 8.1)."""
    codes: list[int | None] = []

    async def script(peer: Peer) -> None:
        await peer.upgrade()
        await peer.send(frame(TEXT, b"good") + frame(BINARY, b"\xff") + bad + frame(TEXT, b"late"))
        codes.append(await peer.read_close())

    async with serve(script) as server:
        _, seen = await dial(server.url)
        failure = await seen.ended()
        await server.scripts_done()
        assert (failure.kind, failure.code, failure.by) == (FailureKind.CLOSE, 1007, "us")
        assert seen.messages == [b"good", b"\xff"]
        assert codes == [1007]


@pytest.mark.parametrize(
    "bad",
    [
        frame(TEXT, b"x", rsv=4),
        frame(TEXT, b"x", rsv=2),
        frame(BINARY, b"x", rsv=1),
        frame(PING, b"x", rsv=4),
        frame(0x3, b"x"),
        frame(0xB, b"x"),
        frame(TEXT, b"x", mask=b"\1\2\3\4"),
        frame(PING, b"x" * 126),
        frame(PING, b"x", fin=False),
        frame(CLOSE, close_payload(1000, b"x" * 124)),
        frame(CONT, b"of nothing"),
        frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"),
        frame(TEXT, b"a", fin=False) + frame(BINARY, b"b", fin=False),
    ],
    ids=[
        "rsv1",
        "rsv2",
        "rsv3",
        "rsv1 on a ping",
        "opcode 3",
        "opcode 11",
        "masked",
        "long ping",
        "ping in fragments",
        "long close",
        "continuation of nothing",
        "message inside a message",
        "fragment inside a message",
    ],
)
async def test_a_frame_that_must_not_be_ends_the_connection_with_1002(dial: Dials, bad: bytes) -> None:
    codes: list[int | None] = []

    async def script(peer: Peer) -> None:
        await peer.upgrade()
        await peer.send(frame(TEXT, b"good") + bad)
        codes.append(await peer.read_close())

    async with serve(script) as server:
        _, seen = await dial(server.url)
        failure = await seen.ended()
        await server.scripts_done()
        assert (failure.kind, failure.code, failure.by) == (FailureKind.CLOSE, 1002, "us")
        assert seen.messages == [b"good"]
        assert codes == [1002]


@pytest.mark.parametrize(
    "bad",
    [
        frame(TEXT, b"x" * 1001),
        frame(BINARY, b"x" * 900, fin=False) + frame(CONT, b"x" * 101),
        frame(TEXT, b"x" * 1000, fin=False) + frame(CONT, b"x", fin=False),
        b"\x82\x7f" + struct.pack("!Q", 1 << 40),
        b"\x82\x7f" + struct.pack("!Q", (1 << 63) - 1),
    ],
    ids=["in one frame", "over fragments", "by one byte", "a terabyte announced", "the largest announced"],
)
async def test_a_message_above_the_limit_ends_the_connection_with_1009(dial: Dials, bad: bytes) -> None:
    codes: list[int | None] = []

    async def script(peer: Peer) -> None:
        await peer.upgrade()
        await peer.send(frame(TEXT, b"x" * 1000) + bad)
        codes.append(await peer.read_close())

    async with serve(script) as server:
        _, seen = await dial(server.url, max_message=1000)
        failure = await seen.ended()
        await server.scripts_done()
        assert (failure.code, failure.by) == (1009, "us")
        assert seen.messages == [b"x" * 1000]
        assert codes == [1009]


async def test_a_message_as_large_as_the_limit_arrives(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(frame(BINARY, b"x" * 500, fin=False) + frame(CONT, b"x" * 500) + frame(TEXT, b"y" * 1000))
        await peer.gone()

    async with dial.upgraded(script, max_message=1000) as (_, seen):
        assert await seen.received(2) == [b"x" * 1000, b"y" * 1000]


async def test_900_000_empty_fragments_end_in_1009(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(frame(TEXT, b"", fin=False))
        for _ in range(900):
            await peer.send(frame(CONT, b"", fin=False) * 1000)

    async with dial.upgraded(script) as (_, seen):
        failure = await seen.ended()
        assert (failure.code, failure.by, seen.messages) == (1009, "us", [])


async def test_many_small_fragments_of_one_message_are_joined(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(frame(TEXT, b"a", fin=False) + frame(CONT, b"b", fin=False) * 20_000 + frame(CONT, b"c"))
        await peer.gone()

    async with dial.upgraded(script) as (_, seen):
        assert await seen.received(1) == [b"a" + b"b" * 20_000 + b"c"]
