"""Frames: whatever lies in however many of them, the messages are the same."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import SOME
from wscli.session.frames import (
    BadStream,
    FrameDecoder,
    FramesPlan,
    StreamPlan,
    Unit,
    encode_message,
    shown_unit,
    unit_parser,
)
from wscli.session.regex import compile_linear_regex

NATS = FramesPlan(
    stream=StreamPlan(b"\r\n", compile_linear_regex("MSG [a-z]+ (?P<size>[0-9]+)")),
    parse=(compile_linear_regex(r"(?P<op>MSG) (?P<subject>[a-z]+) [0-9]+\r\n(?P<bytes>[\s\S]*)"),),
)


def units(plan: FramesPlan, *frames: bytes, most: int = 1 << 20) -> list[bytes]:
    decoder = FrameDecoder(plan, most)
    return [unit.payload for frame in frames for unit in decoder.units(frame, binary=False)]


def test_a_frame_is_a_message_where_nothing_is_declared() -> None:
    assert FramesPlan().whole
    decoder = FrameDecoder(FramesPlan(), 10)
    assert list(decoder.units(b"a\nb", binary=True)) == [Unit(b"a\nb", binary=True)]


def test_a_split_frame_is_several_messages_and_no_empty_one() -> None:
    plan = FramesPlan(split="\x1e")
    assert not plan.whole
    assert units(plan, b'{"a":1}\x1e{}\x1e', b"\x1e", b"x") == [b'{"a":1}', b"{}", b"x"]


def test_a_message_of_a_stream_may_lie_in_many_frames_and_a_frame_hold_many() -> None:
    plan = FramesPlan(stream=StreamPlan(b"\r\n"))
    assert units(plan, b"PING\r\nIN", b"FO {}\r", b"\nPONG\r\n\r\nrest") == [b"PING", b"INFO {}", b"PONG"]


def test_a_body_is_as_long_as_its_size_and_may_hold_what_ends_a_unit() -> None:
    wire = b"MSG a 4\r\n\r\n\xffx\r\nPING\r\nMSG b 0\r\n\r\nMSG c 1\r\nyPONG\r\n"
    expected = [b"MSG a 4\r\n\r\n\xffx", b"PING", b"MSG b 0\r\n", b"MSG c 1\r\ny", b"PONG"]
    assert units(NATS, wire) == expected
    assert units(NATS, *(bytes([byte]) for byte in wire)) == expected


def test_a_unit_of_a_stream_is_text_where_it_is_utf8() -> None:
    decoder = FrameDecoder(FramesPlan(stream=StreamPlan(b"\n")), 100)
    assert list(decoder.units("é\n".encode() + b"\xff\n", binary=True)) == [
        Unit("é".encode(), binary=False),
        Unit(b"\xff", binary=True),
    ]


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([b"x" * 31 + b"\n"], r"a message of the stream is longer than max_message \(30B\)"),
        ([b"x" * 16, b"x" * 16], "longer than"),
        ([b"MSG a 25\nx"], "longer than"),
        ([b"MSG a \n"], "the size in the stream is not a number"),
        ([b"MSG a 9" + b"9" * 18 + b"\n"], "not a number"),
    ],
)
def test_a_stream_that_does_not_end_is_refused(frames: list[bytes], words: str) -> None:
    plan = FramesPlan(stream=StreamPlan(b"\n", compile_linear_regex("MSG a (?P<size>[0-9]*)")))
    with pytest.raises(BadStream, match=words):
        units(plan, *frames, most=30)


def test_what_came_before_the_refused_message_is_given_first() -> None:
    seen, refused = outcome(FramesPlan(stream=StreamPlan(b"\n")), [b"a\nb\n" + b"x" * 20], 10)
    assert ([unit.payload for unit in seen], refused) == ([b"a", b"b"], True)


def outcome(plan: FramesPlan, frames: list[bytes], most: int) -> tuple[list[Unit], bool]:
    """Give the messages of frames, and whether one was refused."""
    decoder, seen = FrameDecoder(plan, most), []
    try:
        for frame in frames:
            seen.extend(decoder.units(frame, binary=False))
    except BadStream:
        return seen, True
    return seen, False


def cut(wire: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(wire), *(at % (len(wire) + 1) for at in cuts)})
    return [wire[start:end] for start, end in pairwise(edges)]


pieces = st.sampled_from(
    [b"MSG a 3\r\n", b"MSG b 0\r\n", b"MSG c 30\r\n", b"PING", b"\r\n", b"\r", b"\n", b"abc", b"\xff", b"MSG a "]
)


@given(
    st.lists(pieces, max_size=12).map(b"".join),
    st.lists(st.integers(0, 200), max_size=12),
    st.sampled_from([8, 20, 1000]),
)
@settings(max_examples=SOME)
def test_a_stream_in_any_batching_equals_the_whole(wire: bytes, cuts: list[int], most: int) -> None:
    assert outcome(NATS, cut(wire, cuts), most) == outcome(NATS, [wire], most)


@given(st.lists(st.binary(min_size=1, max_size=30), max_size=10), st.lists(st.integers(0, 400), max_size=8))
@settings(max_examples=SOME)
def test_bodies_arrive_as_they_were_sent(bodies: list[bytes], cuts: list[int]) -> None:
    wire = b"".join(b"MSG x %d\r\n%b\r\n" % (len(body), body) for body in bodies)
    found = units(NATS, *cut(wire, cuts))
    assert [unit.split(b"\r\n", 1)[1] for unit in found] == bodies


STOMP = FramesPlan(
    parse=(
        compile_linear_regex(r"(?P<command>[A-Z]+)\n(?P<headers>(?:[^\n]+\n)*)\n(?P<json>[{\[][\s\S]*)"),
        compile_linear_regex(r"(?P<command>[A-Z]+)\n(?P<headers>(?:[^\n]+\n)*)\n(?P<body>[^{\[][\s\S]*)?"),
    )
)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b'MSG\na:1\nb: x:y\r\na:2\n\n{"n":12345678901234567890}',
         {"command": "MSG", "headers": {"a": "1", "b": "x:y"}, "json": {"n": 12345678901234567890}}),
        (b"MSG\n\n{oops", {"command": "MSG", "headers": {}, "json": "{oops"}),
        (b"MSG\nnocolon\n\nbody", {"command": "MSG", "headers": {}, "body": "body"}),
        (b"MSG\n\n", {"command": "MSG", "headers": {}}),
        (b"MSG\na:\xff\n\nx\xff", {"command": "MSG", "headers": {"a": "\ufffd"}, "body": "x\ufffd"}),
        (b'MSG\n\n{"a":"\xff"}', {"command": "MSG", "headers": {}, "json": '{"a":"\ufffd"}'}),
        (b'{"a":1}', {"a": 1}),
        (b"other", "other"),
        (b"\xff", b"\xff"),
    ],
)  # fmt: skip
def test_the_first_regex_that_fits_makes_an_object(payload: bytes, expected: object) -> None:
    assert unit_parser(STOMP)(payload) == expected


def test_a_group_of_bytes_stays_bytes() -> None:
    assert unit_parser(NATS)(b"MSG a 3\r\n\xff\x00\xc3\xa9") == {
        "op": "MSG",
        "subject": "a",
        "bytes": b"\xff\x00\xc3\xa9",
    }


@pytest.mark.parametrize(
    ("payload", "expected"),
    [(b"2", 2), (b'"a"', "a"), (b"", ""), (b"2probe", "2probe"), (b"\xc3(", b"\xc3("), (b"\x00\x01", "\x00\x01")],
)
def test_what_is_not_json_is_text_or_else_bytes(payload: bytes, expected: object) -> None:
    assert unit_parser(FramesPlan())(payload) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("té", Unit("té".encode(), binary=False)),
        ({"n": 2**70, "é": [1.0]}, Unit(f'{{"n":{2**70},"é":[1.0]}}'.encode(), binary=False)),
        (None, Unit(b"null", binary=False)),
        ("cut \ud83d", Unit(b"cut ?", binary=False)),
        (b"\xff", Unit(b"\xff", binary=True)),
        (b"text", Unit(b"text", binary=False)),
        ({"bytes": b"\xff"}, Unit(b'{"bytes":"/w=="}', binary=False)),
    ],
)
def test_a_history_holds_text_bytes_or_compact_json(value: object, expected: Unit) -> None:
    assert shown_unit(value) == expected


def test_what_is_sent_ends_where_it_is_json_or_wrapped() -> None:
    plan = FramesPlan(end="\0", send="binary")
    assert encode_message(plan, {"a": 1}) == Unit(b'{"a":1}\0', binary=True)
    assert encode_message(plan, [1]) == Unit(b"[1]\0", binary=True)
    assert encode_message(plan, "a\n\0") == Unit(b"a\n\0", binary=True)
    assert encode_message(plan, "a", outgoing=True) == Unit(b"a\0", binary=True)
    assert encode_message(FramesPlan(), "a") == Unit(b"a", binary=False)
    assert encode_message(FramesPlan(), b"a") == Unit(b"a", binary=True)


@given(st.binary(max_size=60), st.sampled_from([STOMP, NATS, FramesPlan(), FramesPlan(split="a")]))
@settings(max_examples=SOME)
def test_whatever_arrives_has_a_value_that_can_be_shown(payload: bytes, plan: FramesPlan) -> None:
    value = unit_parser(plan)(payload)
    shown, binary = shown_unit(value)
    if isinstance(value, bytes):
        assert (shown, binary) == (value, True)
    elif isinstance(value, str):
        assert (shown, binary) == (value.encode(errors="replace"), False)
    else:
        json.loads(shown)
        assert not binary
