"""Frames: what was sent comes out again however it was cut, and garbage is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wscli.control.frames import (
    CHANNEL,
    CONFIRMED,
    DATA,
    END,
    EPOCH,
    GAP,
    HEADER,
    NOTICE,
    STATE,
    End,
    FrameError,
    FrameReader,
    end_body,
    header,
    json_body,
    read_end,
    read_json,
)

frames = st.lists(st.tuples(st.integers(DATA, EPOCH), st.integers(0, 2**64 - 1), st.binary(max_size=200)), max_size=20)


def received(reader, data):
    """Feed what fits, as a socket would, and take what is whole."""
    taken = []
    while data:
        space = reader.space()
        count = min(len(space), len(data))
        assert count > 0
        space[:count] = data[:count]
        data = data[count:]
        reader.received(count)
        while (frame := reader.next_frame()) is not None:
            taken.append((frame.kind, frame.seq, bytes(frame.body)))
    return taken


def test_the_header_is_length_kind_and_sequence_in_network_order_and_every_kind_has_its_own_number():
    assert header(DATA, 17, 5) == b"\x00\x00\x00\x05\x01\x00\x00\x00\x00\x00\x00\x00\x11"
    assert [DATA, GAP, STATE, END, CHANNEL, NOTICE, CONFIRMED, EPOCH] == [1, 2, 3, 4, 5, 6, 7, 8]


@given(frames, st.lists(st.integers(1, 400)))
def test_frames_come_out_as_they_went_in_however_they_are_cut(sent, cuts):
    data = b"".join(header(kind, seq, len(body)) + body for kind, seq, body in sent)
    reader, taken = FrameReader(), []
    for size in cuts:
        taken += received(reader, data[:size])
        data = data[size:]
    taken += received(reader, data)
    assert taken == sent


@pytest.mark.parametrize("size", [1 << 18, (1 << 20) - 13, 1 << 20, 5 << 20])
def test_a_frame_may_be_larger_than_the_buffer(size):
    bodies = [bytes([number]) * size for number in range(5)]
    data = b"".join(header(DATA, number, size) + body for number, body in enumerate(bodies))
    reader, taken = FrameReader(), []
    for start in range(0, len(data), 300_000):
        taken += received(reader, data[start : start + 300_000])
    assert [body for _, _, body in taken] == bodies


@given(st.binary(max_size=300))
def test_garbage_is_refused_or_waits_for_more_and_never_crashes(data):
    reader = FrameReader()
    try:
        taken = received(reader, data)
    except FrameError:
        return
    assert all(DATA <= kind <= EPOCH for kind, _, _ in taken)
    assert data.startswith(b"".join(header(kind, seq, len(body)) + body for kind, seq, body in taken))


@pytest.mark.parametrize("kind", [0, 9, 255])
def test_an_unknown_kind_is_refused_before_its_body_is_there(kind):
    with pytest.raises(FrameError, match=f"unknown kind {kind}"):
        received(FrameReader(), HEADER.pack(1 << 31, kind, 0))


def test_an_announced_length_takes_no_memory_by_itself():
    reader = FrameReader()
    received(reader, header(DATA, 1, (1 << 32) - 1))
    assert len(reader.space()) <= 1 << 20


@given(st.integers(0, 255), st.text(), st.none() | st.text())
def test_an_end_comes_out_as_it_went_in(code, message, hint):
    assert read_end(memoryview(end_body(code, message, hint))) == End(code, message, hint)


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x00[]", b"\x00nope", b"\x00\xff", b"\x00" + b"[" * 100_000])
def test_a_broken_end_is_refused(body):
    with pytest.raises(FrameError):
        read_end(memoryview(body))


def test_a_name_with_a_lone_surrogate_survives_json():
    assert read_json(memoryview(json_body({"channel": "a\udc80"}))) == {"channel": "a\udc80"}
