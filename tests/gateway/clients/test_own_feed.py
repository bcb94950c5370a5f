"""What waits for a client with an upstream of its own: in order, unchanged, and bounded by a hold of its upstream."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.frames import Opcode
from websockets.protocol import OPEN
from websockets.uri import parse_uri

from wscli.gateway.clients.own import HIGH, LOW, OwnFeed
from wscli.gateway.clients.parser import close_frame

MESSAGES = st.lists(st.tuples(st.binary(max_size=200), st.booleans()), min_size=1, max_size=8)
HEADERS = 30 * 10
"""Bytes of the headers of so many frames, which count as well."""
STEPS = st.lists(st.one_of(MESSAGES, st.none()), max_size=40)


def parsed(pieces: list[bytes]) -> list[tuple[bytes, bool]]:
    """Give the payloads of frames, and whether each is binary; a close frame last is left out."""
    client = ClientProtocol(parse_uri("ws://h/"), state=OPEN, max_size=None)
    client.receive_data(b"".join(pieces))
    frames = client.events_received()
    data = [frame for frame in frames if frame.opcode in (Opcode.TEXT, Opcode.BINARY)]
    return [(bytes(frame.data), frame.opcode is Opcode.BINARY) for frame in data]


@given(STEPS, st.booleans())
def test_every_message_arrives_once_in_order_before_the_close_frame(
    steps: list[list[tuple[bytes, bool]] | None], at_once: bool
) -> None:
    feed, sent, taken = OwnFeed(), [], []
    for step in steps:
        if step is None:
            taken += feed.take()
        else:
            kinds = "".join("b" if binary else "t" for _, binary in step).encode()
            feed.receive([payload for payload, _ in step], kinds if b"b" in kinds else None)
            sent += step
    waiting = len(parsed(taken))
    feed.end(close_frame(1000), at_once=at_once)
    feed.receive([b"behind the end"], None)
    while not feed.ended:
        taken += feed.take()
    assert parsed(taken) == (sent[:waiting] if at_once else sent)
    assert taken[-1] == close_frame(1000)
    assert feed.take() == []


@given(st.lists(st.integers(0, 3 * HIGH), max_size=30), st.data())
def test_the_upstream_is_held_while_too_much_waits(sizes: list[int], data: st.DataObject) -> None:
    feed, held, waiting = OwnFeed(), [], 0
    feed.hold = held.append
    for size in sizes:
        if not (held and held[-1]):
            feed.receive([b"x" * size], None)
            waiting += size
        if data.draw(st.booleans()):
            waiting -= sum(len(payload) for payload, _ in parsed(feed.take()))
        if held and held[-1]:
            assert waiting + HEADERS >= LOW
        else:
            assert waiting <= HIGH
    assert held == [place % 2 == 0 for place in range(len(held))], "held and released in turn"
