"""The stream without I/O: however it is cut, the same messages and gaps come out of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import SOME
from wscli.client.feed import MessageFeed
from wscli.client.messages import Gap, Message
from wscli.control.frames import DATA, END, GAP, NOTICE, STATE, FrameError, FrameReader, end_body, header, json_body
from wscli.errors import ChannelUnavailable
from wscli.history.encode import Form, encode_batch, gap_record
from wscli.history.records import BINARY, TEXT, Batch
from wscli.history.records import GapRecord as Recorded


def frame(kind: int, body: bytes, seq: int = 0) -> bytes:
    return header(kind, seq, len(body)) + body


def data(first: int, payloads: list[str | bytes]) -> bytes:
    """Encode a batch as the manager does."""
    raw = [one.encode() if isinstance(one, str) else one for one in payloads]
    kinds = bytes(TEXT if isinstance(one, str) else BINARY for one in payloads)
    parts = encode_batch(Batch(first, 5.25, raw, kinds, epoch="k3f9"), Form("json", "calls")).parts
    return b"".join(frame(DATA, body, seq) for seq, body in parts)


def take_all(feed: MessageFeed) -> list[Message | Gap]:
    found = []
    while (item := feed.next_item()) is not None:
        found.append(item)
    return found


@settings(max_examples=SOME)
@given(
    st.lists(st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.binary()), min_size=1, max_size=6),
    st.integers(0, 300),
)
def test_wherever_the_stream_is_cut_the_same_comes_out_of_it(payloads: list[str | bytes], with_answer: int) -> None:
    gap = Recorded(len(payloads), "outage", 1.0, 2.5, None)
    stream = (
        data(1, payloads)
        + frame(STATE, b"{}")
        + frame(NOTICE, b"{}")
        + frame(GAP, json_body(gap_record(gap, "calls")))
        + frame(END, end_body(0))
    )
    feed = MessageFeed(FrameReader(stream[:with_answer]))
    found = take_all(feed)
    if rest := stream[with_answer:]:
        feed.frames.space()[: len(rest)] = rest
        feed.frames.received(len(rest))
    found += take_all(feed)
    messages = [Message("calls", "k3f9", seq, 5.25, one) for seq, one in enumerate(payloads, 1)]
    assert found == [*messages, Gap("calls", len(payloads), "outage", 1.0, 2.5, None)]
    assert feed.ended
    assert feed.next_item() is None


def test_the_end_is_the_error_of_its_code_after_everything_before_it() -> None:
    feed = MessageFeed(FrameReader(data(1, ["last"]) + frame(END, end_body(8, "calls failed", "see it"))))
    assert isinstance(feed.next_item(), Message)
    with pytest.raises(ChannelUnavailable, match="calls failed") as caught:
        feed.next_item()
    assert caught.value.hint == "see it"


@pytest.mark.parametrize(
    "rubbish",
    [
        frame(DATA, b"no json\n"),
        frame(DATA, b'{"type":"text"}\n'),
        frame(DATA, b"[]\n"),
        frame(DATA, b"\xff\n"),
        frame(GAP, b"{}"),
        frame(GAP, b"["),
        frame(77, b""),
    ],
)
def test_rubbish_is_an_error_of_ours(rubbish: bytes) -> None:
    with pytest.raises(FrameError):
        MessageFeed(FrameReader(rubbish)).next_item()


def test_a_message_knows_its_cursor_and_parses_its_data() -> None:
    message = Message("calls", "k3f9", 17, 5.25, '{"n":1}')
    assert message.cursor == "k3f9:17"
    assert message.json() == {"n": 1}
    assert message._replace(data=b"[1]").json() == [1]
    with pytest.raises(ValueError, match="Expecting value"):
        message._replace(data="plain").json()


@pytest.mark.parametrize("gaps", [True, False])
def test_how_far_a_consumer_is_counts_gaps_whether_they_are_given_or_not(gaps: bool) -> None:
    gap = frame(GAP, json_body(gap_record(Recorded(8, "outage", 1.0, 2.5, None), "calls")))
    feed = MessageFeed(FrameReader(data(7, ["a", "b"]) + gap + data(9, ["c"])), gaps=gaps, after=6)
    assert feed.due() is None
    places = []
    while feed.next_item() is not None:
        places.append(feed.due())
    assert places == ([(7, 0), (8, 0), (8, 1), (9, 1)] if gaps else [(7, 0), (8, 0), (9, 1)])
    place = feed.due()
    assert place is not None
    feed.acknowledged = place
    assert feed.due() is None
