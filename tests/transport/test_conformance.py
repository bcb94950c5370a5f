"""What both adapters receive, by RFC 6455: messages, fragments, text, limits, and frames that must not be."""

from __future__ import annotations

import os
import struct

import pytest

from tests.transport.conftest import Dials, over_tls_too
from tests.transport.servers import BINARY, CLOSE, CONT, PING, PONG, TEXT, Peer, close_payload, frame, sending
from wscli.core.failures import FailureKind

SIZES = [0, 1, 125, 126, 127, 65535, 65536, 300_000]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_a_message_of_any_length_form_arrives_whole(dial: Dials, size: int, opcode: int) -> None:
    payload = (b"0123456789" * (size // 10 + 1))[:size]
    async with dial.upgraded(sending(frame(opcode, payload))) as (_, seen):
        assert await seen.received(1) == [payload]
        assert seen.kinds == ("t" if opcode == TEXT else "b")


async def test_a_large_message_sent_in_drips_arrives_whole(dial: Dials) -> None:
    data = frame(BINARY, os.urandom(70_000))
    drips = [data[at : at + 7001] for at in range(0, len(data), 7001)]
    async with dial.upgraded(sending(*drips)) as (_, seen):
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
    data = frame(TEXT, b"one") + frame(BINARY, b"\xff") + frame(TEXT, b"") + frame(TEXT, b"three")
    async with dial.upgraded(sending(data)) as (_, seen):
        assert await seen.received(4) == [b"one", b"\xff", b"", b"three"]
        assert seen.kinds == "tbtt"


@over_tls_too
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
    data = b"".join(frame(BINARY, b"x" * size) for size in sizes) + frame(TEXT, b"a" * 100) * 9000
    async with dial.upgraded(sending(data)) as (_, seen):
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


@pytest.mark.parametrize(
    ("data", "messages"),
    [
        (frame(TEXT, "€".encode()[:1], fin=False) + frame(CONT, "€".encode()[1:]), ["€".encode()]),
        (
            frame(TEXT, b"a", fin=False) + frame(CONT, b"b", fin=False) * 20_000 + frame(CONT, b"c"),
            [b"a" + b"b" * 20_000 + b"c"],
        ),
        (
            frame(BINARY, b"x" * 500_000, fin=False) + frame(CONT, b"x" * 500_000) + frame(TEXT, b"y" * 1_000_000),
            [b"x" * 1_000_000, b"y" * 1_000_000],
        ),
    ],
    ids=["split inside a character", "many small fragments", "as large as the limit"],
)
async def test_fragments_and_messages_within_the_limits_arrive(dial: Dials, data: bytes, messages: list[bytes]) -> None:
    async with dial.upgraded(sending(data), max_message=1_000_000) as (_, seen):
        assert await seen.received(len(messages)) == messages


NOT_UTF8 = {
    "lone byte": frame(TEXT, b"\xff"),
    "a character without its end": frame(TEXT, b"\xe2\x82"),
    "a surrogate, as no UTF-8 holds it (RFC 3629, section 3)": frame(TEXT, b"\xed\xa0\x80"),
    "a slash in more bytes than it needs": frame(TEXT, b"\xc0\xaf"),
    "in a fragment": frame(TEXT, b"a", fin=False) + frame(CONT, b"\xff"),
    "cut over fragments": frame(TEXT, b"\xe2", fin=False) + frame(CONT, b"\x82"),
}
FORBIDDEN = {
    "rsv1": frame(TEXT, b"x", rsv=4),
    "rsv2": frame(TEXT, b"x", rsv=2),
    "rsv3": frame(BINARY, b"x", rsv=1),
    "rsv1 on a ping": frame(PING, b"x", rsv=4),
    "opcode 3": frame(0x3, b"x"),
    "opcode 11": frame(0xB, b"x"),
    "masked": frame(TEXT, b"x", mask=b"\1\2\3\4"),
    "long ping": frame(PING, b"x" * 126),
    "ping in fragments": frame(PING, b"x", fin=False),
    "continuation of nothing": frame(CONT, b"of nothing"),
    "message inside a message": frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"),
    "fragment inside a message": frame(TEXT, b"a", fin=False) + frame(BINARY, b"b", fin=False),
}
TOO_LARGE = {
    "in one frame": frame(TEXT, b"x" * 1001),
    "over fragments": frame(BINARY, b"x" * 900, fin=False) + frame(CONT, b"x" * 101),
    "by one byte": frame(TEXT, b"x" * 1000, fin=False) + frame(CONT, b"x", fin=False),
    "a terabyte announced": b"\x82\x7f" + struct.pack("!Q", 1 << 40),
    "the largest announced": b"\x82\x7f" + struct.pack("!Q", (1 << 63) - 1),
}


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        pytest.param(bad, code, id=f"{code}: {name}")
        for code, frames in ((1007, NOT_UTF8), (1002, FORBIDDEN), (1009, TOO_LARGE))
        for name, bad in frames.items()
    ],
)
async def test_what_must_not_be_ends_the_connection_with_its_code(dial: Dials, bad: bytes, code: int) -> None:
    """What came before it is delivered, what comes behind it is not (RFC 6455, section 8.1)."""
    data = frame(TEXT, b"good") + frame(BINARY, b"\xff") + bad + frame(TEXT, b"late")
    failure, answer, seen = await dial.ended_by(data, max_message=1000)
    kind = FailureKind.TOO_BIG if code == 1009 else FailureKind.VIOLATION
    assert (failure.kind, failure.code, failure.by) == (kind, code, "us")
    assert (seen.messages, answer) == ([b"good", b"\xff"], code)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("size", [1, 64])
async def test_a_message_may_have_as_many_fragments_as_max_message_allows(dial: Dials, opcode: int, size: int) -> None:
    """Autobahn 9.3.1 and 9.4.1: 4 MiB in fragments of 64 bytes, and more than 65,536 of them."""
    count = 70_000 if size == 1 else (4 << 20) // size + 1
    data = frame(opcode, b"x" * size, fin=False) + frame(CONT, b"x" * size, fin=False) * (count - 2)
    async with dial.upgraded(sending(data + frame(CONT, b"x" * size)), max_message=5 << 20) as (_, seen):
        assert await seen.received(1) == [b"x" * (size * count)]


async def test_a_message_in_fragments_holds_no_more_memory_than_max_message(dial: Dials) -> None:
    """The limit ends it before its bytes are kept, however small its fragments are."""
    data = frame(BINARY, b"x", fin=False) + frame(CONT, b"x", fin=False) * 1000
    failure, code, seen = await dial.ended_by(data, max_message=1000)
    assert (failure.code, code, seen.messages) == (1009, 1009, [])


@pytest.mark.parametrize("pieces", [1, 2])
async def test_a_message_that_is_too_large_names_the_key_to_raise(dial: Dials, pieces: int) -> None:
    if pieces == 1:
        data, of_size = frame(TEXT, b"x" * 3000), " of 3000 bytes"
    else:
        data, of_size = frame(TEXT, b"x" * 1500, fin=False) + frame(CONT, b"x" * 1500), ""
    failure, _, _ = await dial.ended_by(data, max_message=2048)
    text = failure.text.replace(" of 3000 bytes", of_size)  # one adapter knows the size of the whole
    assert text == f"closed by us: 1009 a message{of_size} is larger than max_message (2KiB)"


async def test_900_000_empty_fragments_end_in_1009(dial: Dials) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(frame(TEXT, b"", fin=False))
        for _ in range(900):
            await peer.send(frame(CONT, b"", fin=False) * 1000)

    async with dial.upgraded(script) as (_, seen):
        failure = await seen.ended()
        assert (failure.code, failure.by, seen.messages) == (1009, "us", [])
