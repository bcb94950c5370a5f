"""The formats: exact bytes, whole messages in each part, and work that is shared."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wscli.history.encode import PART_BYTES, EncodedCache, Form, cut, encode_batch, gap_record
from wscli.history.records import Batch, GapRecord

TS = 1764000000.123456
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40).map(str.encode)
messages = st.lists(st.one_of(texts.map(lambda one: (one, "t")), st.binary(max_size=40).map(lambda one: (one, "b"))))


def batch_of(payloads, kinds=None, *, first=17):
    return Batch(first, TS, payloads, kinds, epoch="k3f9")


def joined(encoded):
    return b"".join(body for _, body in encoded.parts)


@pytest.mark.parametrize(
    ("payload", "kinds", "rest"),
    [
        (b'{"a": 1}', None, b'"type":"text","data":"{\\"a\\": 1}"}\n'),
        (b"\x00\x01\x02", b"b", b'"type":"binary","encoding":"base64","data":"AAEC"}\n'),
    ],
)
def test_a_record_is_what_the_contract_shows(payload, kinds, rest):
    head = b'{"channel":"notifications","epoch":"k3f9","seq":17,"ts":1764000000.123456,'
    assert joined(encode_batch(batch_of([payload], kinds), Form("json", "notifications"))) == head + rest


def test_a_gap_record_is_what_the_contract_shows():
    gap = GapRecord(18, "outage", 1764000002.1, 1764000009.0)
    assert json.dumps(gap_record(gap, "notifications"), separators=(",", ":")) == (
        '{"channel":"notifications","type":"gap","after":18,"reason":"outage",'
        '"start":1764000002.1,"end":1764000009.0,"missed":null}'
    )


def test_what_was_asked_for_after_a_gap_says_so_and_so_does_the_gap():
    form = Form("json", "notifications")
    found = joined(encode_batch(Batch(18, 1764000001.5, [b"1", b"\x00"], b"tb", epoch="k3f9", backfill=True), form))
    assert [json.loads(line)["backfill"] for line in found.splitlines()] == [True, True]
    assert gap_record(GapRecord(17, "outage", backfilled=2), "notifications")["backfilled"] == 2


def test_plain_ends_each_message_with_a_newline_and_leaves_binary_ones_out():
    encoded = encode_batch(batch_of([b"a", b"\xff\xfe", b"b\nc"], b"tbt"), Form("plain", "n"))
    assert (encoded.parts, encoded.skipped, encoded.skipped_bytes) == (((19, b"a\nb\nc\n"),), 1, 2)
    encoded = encode_batch(batch_of([b"\xff\xfe"], b"b"), Form("plain", "n"))
    assert (encoded.parts, encoded.skipped) == ((), 1)


def test_nul_ends_each_message_with_nul_binary_ones_included():
    assert joined(encode_batch(batch_of([b"a", b"\xff"], b"tb"), Form("nul", "n"))) == b"a\0\xff\0"


@pytest.mark.parametrize(("name", "end"), [("plain", b"\n"), ("nul", b"\0")])
def test_labelled_begins_each_message_with_its_channel(name, end):
    form = Form(name, "consultations/42", labelled=True)
    assert (
        joined(encode_batch(batch_of([b"a", b""]), form)) == b"consultations/42\ta" + end + b"consultations/42\t" + end
    )


@given(messages)
def test_records_carry_every_message_exactly(pairs):
    payloads, kinds = [one for one, _ in pairs], "".join(kind for _, kind in pairs).encode()
    records = [
        json.loads(line) for line in joined(encode_batch(batch_of(payloads, kinds), Form("json", "é\n"))).splitlines()
    ]
    assert [record["seq"] for record in records] == list(range(17, 17 + len(pairs)))
    for record, (payload, kind) in zip(records, pairs, strict=True):
        assert record["channel"] == "é\n"
        if kind == "t":
            assert (record["type"], record["data"].encode()) == ("text", payload)
        else:
            assert (record["type"], record["encoding"]) == ("binary", "base64")
            assert base64.b64decode(record["data"]) == payload


@given(messages, st.sampled_from(["plain", "nul", "json"]), st.integers(1, 10))
def test_a_cut_shows_as_many_messages_as_asked_from_the_beginning(pairs, name, most):
    batch = batch_of([one for one, _ in pairs], "".join(kind for _, kind in pairs).encode())
    form = Form(name, "n")
    part = cut(batch, form, most)
    assert form.prints(part) == min(most, form.prints(batch))
    assert joined(encode_batch(batch, form)).startswith(joined(encode_batch(part, form)))
    assert part.first == batch.first
    if form.prints(batch) > most:
        assert form.prints(batch_of(part.payloads[:-1], part.kinds[:-1])) == most - 1  # not a message further


@pytest.mark.parametrize("name", ["plain", "nul", "json"])
@pytest.mark.parametrize("labelled", [False, True])
@given(
    sizes=st.lists(st.sampled_from([0, 1, 1000, PART_BYTES // 2, PART_BYTES, PART_BYTES * 2]), min_size=1, max_size=8)
)
def test_parts_hold_whole_messages_and_are_bounded(name, labelled, sizes):
    batch = batch_of([bytes([65 + index]) * size for index, size in enumerate(sizes)])
    form = Form(name, "n", labelled)
    parts = encode_batch(batch, form).parts
    first = batch.first
    for last, body in parts:
        assert body == joined(encode_batch(batch.part(first, last), form))
        assert len(body) <= PART_BYTES or last == first
        first = last + 1
    assert first == batch.last + 1


def test_the_last_part_answers_for_the_binary_messages_behind_it():
    batch = batch_of([b"a" * PART_BYTES, b"\xff", b"b", b"\xff"], b"tbtb")
    assert [seq for seq, _ in encode_batch(batch, Form("plain", "n")).parts] == [17, 20]


def test_readers_of_one_format_share_the_bytes():
    cache, batch = EncodedCache(), batch_of([b"a", b"b"])
    plain, other = Form("plain", "n"), Form("json", "n")
    assert cache.get(batch, plain) is cache.get(batch, plain)
    assert cache.get(batch, other) is not cache.get(batch, plain)
    assert cache.get(batch.part(17, 17), plain).parts == ((17, b"a\n"),)


def test_the_cache_is_bounded_and_keeps_what_was_used_last():
    cache, form = EncodedCache(limit=1000), Form("plain", "n")
    batches = [batch_of([b"x" * 399], first=number) for number in range(1, 4)]
    one, two, three = batches
    kept = cache.get(one, form)
    cache.get(two, form)
    assert cache.get(one, form) is kept
    cache.get(three, form)
    assert cache.size <= 1000
    assert cache.get(one, form) is kept
    cache.get(batch_of([b"x" * 5000]), form)
    assert cache.size == 0
    cache.get(one, form)
    cache.clear()
    assert cache.size == 0
