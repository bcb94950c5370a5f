"""Retry-After in seconds and as a date (RFC 9110, section 10.2.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wscli.net.retry_after import parse_retry_after

NOW = 1_445_412_480.0  # Wed, 21 Oct 2015 07:28:00 GMT


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("3", 3.0),
        (" 120 ", 120.0),
        ("0", 0.0),
        ("999999999", 604_800.0),
        ("Wed, 21 Oct 2015 07:28:30 GMT", 30.0),
        ("Wednesday, 21-Oct-15 07:28:30 GMT", 30.0),
        ("Wed Oct 21 07:28:30 2015", 30.0),
        ("Wed, 21 Oct 2015 07:27:30 GMT", 0.0),
        ("Wed, 21 Oct 2099 07:27:30 GMT", 604_800.0),
        ("-3", None),
        ("3.5", 3.5),
        ("3.", None),
        (".5", None),
        ("soon", None),
        ("", None),
        ("Wed, 99 Oct 2015 07:28:30 GMT", None),
        ("٣", None),
    ],
)
def test_seconds_and_dates_are_understood_and_nothing_else(text: str | None, seconds: float | None) -> None:
    assert parse_retry_after(text, NOW) == seconds


@given(st.text() | st.from_regex(r"\w{3}, \d{1,3} \w{3} \d{1,6} \d\d:\d\d:\d\d [A-Z+0-9-]{1,6}", fullmatch=True))
def test_no_header_breaks_it(text: str) -> None:
    seconds = parse_retry_after(text, NOW)
    assert seconds is None or 0 <= seconds <= 604_800
