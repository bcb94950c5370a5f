"""Whole small frames are parsed at once, all else by the library, with the same outcome."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from wscli.gateway.clients.parser import ClientParser, ParseResult

FRAMES = st.one_of(
    st.builds(lambda text: Frame(Opcode.TEXT, text.encode()), st.text(max_size=200)),
    st.builds(lambda data: Frame(Opcode.BINARY, data), st.binary(max_size=70_000)),
    st.builds(lambda data: Frame(Opcode.PING, data), st.binary(max_size=125)),
    st.builds(lambda data: Frame(Opcode.TEXT, data), st.binary(max_size=10)),
    st.builds(
        lambda first, fin: Frame(first, b"part", fin), st.sampled_from((Opcode.TEXT, Opcode.CONT)), st.booleans()
    ),
)


def parser(max_message: int = 1 << 20) -> ClientParser:
    return ClientParser(ServerProtocol(state=OPEN, max_size=max_message), max_message)


def told(results: list[ParseResult]) -> tuple[list[object], list[bytes], bool]:
    messages = [message for result in results for message in result.messages]
    return messages, [one.close for one in results if one.close is not None], any(one.failed for one in results)


@given(st.lists(FRAMES, max_size=6), st.lists(st.integers(1, 400), max_size=20))
def test_however_frames_arrive_the_messages_are_the_same(frames: list[Frame], cuts: list[int]) -> None:
    pieces = [frame.serialize(mask=True) for frame in frames]
    whole, at, parts = b"".join(pieces), 0, []
    for size in cuts:
        parts.append(whole[at : at + size])
        at += size
    parts.append(whole[at:])
    one, two = parser(), parser()
    assert told([two.receive(part) for part in parts if part]) == told([one.receive(piece) for piece in pieces])


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127])
def test_a_message_behind_half_a_frame_waits_for_the_other_half(size: int) -> None:
    it = parser()
    frame = Frame(Opcode.TEXT, b"x" * size).serialize(mask=True)
    assert it.receive(frame[:1]).messages == []
    [first] = it.receive(frame[1:]).messages
    [second] = it.receive(frame).messages
    assert first == second == (b"x" * size, False)


def test_a_small_frame_that_is_part_of_another_s_payload_is_no_message() -> None:
    it = parser()
    inner = Frame(Opcode.TEXT, b"inner").serialize(mask=True)
    outer = Frame(Opcode.BINARY, inner).serialize(mask=True)
    head = len(outer) - len(inner)
    assert it.receive(outer[:head]).messages == []
    [message] = it.receive(outer[head:]).messages
    assert (message.payload, message.binary) == (inner, True)


def test_a_message_inside_a_fragmented_one_is_a_violation() -> None:
    it = parser()
    it.receive(Frame(Opcode.TEXT, b"begun", fin=False).serialize(mask=True))
    result = it.receive(Frame(Opcode.TEXT, b"another").serialize(mask=True))
    assert (result.messages, result.failed) == ([], True)


@pytest.mark.parametrize("limit", [10, 124])
def test_a_small_message_above_the_limit_is_too_large(limit: int) -> None:
    result = parser(limit).receive(Frame(Opcode.TEXT, b"x" * (limit + 1)).serialize(mask=True))
    assert result.messages == []
    assert result.close is not None
    assert result.close[2:4] == (1009).to_bytes(2, "big")


@pytest.mark.parametrize("first", [0xC1, 0x91, 0x01, 0x83, 0x89, 0x8A])
def test_other_first_bytes_are_the_library_s(first: int) -> None:
    frame = bytearray(Frame(Opcode.TEXT, b"x").serialize(mask=True))
    frame[0] = first
    assert parser().receive(bytes(frame)).messages == []
