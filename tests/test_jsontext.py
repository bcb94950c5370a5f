"""JSON of messages: as Python's own, faster, and each integer kept."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import SOME
from wscli.jsontext import decode_json, encode_json, json_key

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=12
)


def same(one: Any, other: Any) -> bool:
    """JSON equality, spelt out."""
    if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(item, other[key]) for key, item in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return one == other
    return isinstance(one, str) and isinstance(other, str) and one == other


@given(values)
@settings(max_examples=SOME)
def test_what_is_encoded_is_decoded_as_python_does(value: object) -> None:
    text = encode_json(value)
    assert decode_json(text) == json.loads(text) == value
    assert same(decode_json(json.dumps(value)), value)
    assert decode_json(text.decode()) == value


@given(
    st.one_of(st.binary(max_size=20), st.text('{}[]",:0123456789eE+-.truefalsnNI \n\\u', max_size=20).map(str.encode))
)
@settings(max_examples=SOME)
def test_what_is_not_json_is_a_value_error_and_what_is_is_equal(data: bytes) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        with pytest.raises(ValueError):  # noqa: PT011 - the message is the decoder's
            decode_json(data)
        return
    try:
        wanted = json.loads(text)
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011
            decode_json(data)
    else:
        assert repr(decode_json(data)) == repr(decode_json(text)) == repr(wanted)


@pytest.mark.parametrize("number", [2**63, 2**64, -(2**64) - 1, 12345678901234567890123456789, 10**300])
def test_big_integers_stay_exact(number: int) -> None:
    assert decode_json(f'{{"a":{number}}}') == {"a": number}
    assert encode_json([number]) == f"[{number}]".encode()


def test_text_is_not_escaped_and_nothing_is_padded() -> None:
    assert encode_json({"ä": ["\u2028é/", 1.0, None]}).decode() == '{"ä":["\u2028é/",1.0,null]}'


def test_half_of_a_surrogate_pair_is_kept_as_its_escape() -> None:
    value = decode_json(b'{"cut":"\\ud83d","n":12345678901234567890}')
    assert value == {"cut": "\ud83d", "n": 12345678901234567890}
    assert encode_json(value) == b'{"cut":"\\ud83d","n":12345678901234567890}'


def test_a_byte_order_mark_is_skipped() -> None:
    assert decode_json(b"\xef\xbb\xbf[1]") == decode_json("\ufeff[1]") == [1]


def test_of_equal_keys_the_last_counts_and_nan_is_read() -> None:
    assert decode_json(b'{"a":1,"a":2}') == {"a": 2}
    assert math.isnan(decode_json(b"[NaN]")[0])


@pytest.mark.parametrize("depth", [202, 1000, 100_000])
def test_absurd_depth_is_a_value_error(depth: int) -> None:
    with pytest.raises(ValueError, match="recursion"):
        decode_json("[" * depth + '"\\u0041"' + "]" * depth)


def test_bytes_become_text_or_base64() -> None:
    assert encode_json({"a": "é".encode()}) == '{"a":"é"}'.encode()
    assert encode_json({"a": b"\xff\x00"}) == b'{"a":"/wA="}'


near = st.sampled_from(
    [0, 1, 0.0, 1.0, -0.0, True, False, None, "0", "1", "", "true", "null", 2**53, float(2**53), 2**53 + 1]
)
nested = st.recursive(
    near,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=5,
)


@given(nested, nested)
@settings(max_examples=SOME)
def test_keys_are_equal_exactly_where_values_are(one: object, other: object) -> None:
    assert (json_key(one) == json_key(other)) is same(one, other)
    if same(one, other):
        assert hash(json_key(one)) == hash(json_key(other))
