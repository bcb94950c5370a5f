"""One line of a recording: what `tail --json` writes is read back, and whatever else is told apart with its reason."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.examples import SOME
from tests.mock.recorded import gap, message
from wscli.history.encode import Form, encode_batch, gap_record
from wscli.history.records import BINARY, TEXT, Batch, GapRecord
from wscli.mock.records import InvalidJson, InvalidRecord, RecordedGap, RecordedMessage, read_record


def line(record: object) -> bytes:
    return json.dumps(record).encode() + b"\n"


@settings(max_examples=SOME, deadline=None)
@example(["", b""], 0.0, "news")
@given(
    st.lists(st.text(st.characters(codec="utf-8")) | st.binary(), min_size=1),
    st.floats(0, 2e9),
    st.text(st.characters(codec="utf-8"), min_size=1),
)
def test_what_a_history_writes_is_read_back(payloads: list[str | bytes], ts: float, channel: str) -> None:
    raw = [one.encode() if isinstance(one, str) else one for one in payloads]
    kinds = bytes(TEXT if isinstance(one, str) else BINARY for one in payloads)
    encoded = encode_batch(Batch(1, ts, raw, kinds, epoch="k3f9"), Form("json", channel))
    lines = b"".join(body for _, body in encoded.parts).split(b"\n")[:-1]
    assert [read_record(one) for one in lines] == [
        RecordedMessage(channel, round(ts, 6), payload, isinstance(one, bytes))
        for one, payload in zip(payloads, raw, strict=True)
    ]


def test_a_gap_that_a_history_writes_is_read_back() -> None:
    record = gap_record(GapRecord(17, "outage", 1.0, 2.0), "news")
    assert read_record(line(record)) == RecordedGap("news", "outage")


@settings(max_examples=SOME, deadline=None)
@given(st.binary() | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(line))
def test_any_other_line_is_an_invalid_record(text: bytes) -> None:
    with pytest.raises(InvalidRecord) as caught:
        read_record(text)
    assert "\n" not in str(caught.value)


@settings(max_examples=SOME, deadline=None)
@given(
    st.sampled_from([message(), message(data=b"x"), gap()]),
    st.sampled_from(["channel", "type", "ts", "data", "encoding", "reason"]),
    st.none() | st.booleans() | st.floats() | st.text(max_size=3) | st.lists(st.none()),
)
def test_a_record_whose_key_is_something_else_is_read_or_refused(
    record: dict[str, object], key: str, value: object
) -> None:
    with contextlib.suppress(InvalidRecord):
        read = read_record(line({**record, key: value}))
        assert isinstance(read, (RecordedMessage, RecordedGap))


def test_unknown_keys_are_ignored() -> None:
    assert read_record(line(message(backfill=True, more={"a": [1]}))) == read_record(line(message()))


@pytest.mark.parametrize("text", [b"hello\n", b'{"channel":"news","epo', b"\xff\n", b"[" * 100_000, b"\xef\xbb\xbf{}"])
def test_a_line_that_is_not_json_is_invalid_json(text: bytes) -> None:
    with pytest.raises(InvalidJson, match="is not JSON"):
        read_record(text)


def without(key: str, record: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in record.items() if name != key}


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"n": 1}, "no 'channel'"),
        ({**message(), "channel": ""}, "no 'channel'"),
        ({**message(), "type": "notification"}, "no 'type' of text, binary or gap"),
        (without("ts", message()), "no 'ts' in seconds"),
        ({**message(), "ts": float("nan")}, "no 'ts' in seconds"),
        ({**message(), "ts": float("inf")}, "no 'ts' in seconds"),
        ({**message(), "ts": 10**400}, "no 'ts' in seconds"),
        ({**message(), "ts": -1}, "no 'ts' in seconds"),
        ({**message(), "ts": True}, "no 'ts' in seconds"),
        (without("data", message()), "no 'data'"),
        ({**message(), "data": {"n": 1}}, "no 'data'"),
        ({**message(), "data": "\ud800"}, "no 'data' that can be sent as text"),
        (without("encoding", message(data=b"x")), "no 'encoding' of base64"),
        ({**message(data=b"x"), "data": "!"}, "no 'data' in base64"),
        ({**message(data=b"x"), "data": "é"}, "no 'data' in base64"),
        (without("reason", gap()), "no 'reason'"),
    ],
)
def test_a_record_that_lacks_something_says_what(record: dict[str, object], reason: str) -> None:
    with pytest.raises(InvalidRecord) as caught:
        read_record(line(record))
    assert str(caught.value).endswith(f"is not a record of `tail --json`: it has {reason}")


def test_a_long_line_is_quoted_by_its_beginning() -> None:
    with pytest.raises(InvalidRecord, match=f"^'{'x' * 60}...' is not JSON$"):
        read_record(b"x" * 10_000)
