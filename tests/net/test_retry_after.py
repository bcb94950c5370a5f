"""Retry-After in seconds and as a date (RFC 9110, section 10.2.3)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wscli.net.retry_after import capped, parse_retry_after

YEAR = 366 * 86400.0
NOW = 1_445_412_480.0  # Wed, 21 Oct 2015 07:28:00 GMT


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("3", 3.0),
        (" 120 ", 120.0),
        ("0", 0.0),
        ("999999999", YEAR),
        ("1209600", 1_209_600.0),
        ("Wed, 21 Oct 2015 07:28:30 GMT", 30.0),
        ("Wednesday, 21-Oct-15 07:28:30 GMT", 30.0),
        ("Wed Oct 21 07:28:30 2015", 30.0),
        ("Wed, 21 Oct 2015 07:27:30 GMT", 0.0),
        ("Wed, 21 Oct 2099 07:27:30 GMT", YEAR),
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


@pytest.mark.parametrize(
    ("date", "seconds"),
    [("Thu, 01 Jan 1970 00:00:10 GMT", 20.0), ("Thu Jan  1 00:00:40 1970", 0.0), ("soon", 0.0), (None, 0.0)],
)
def test_a_date_counts_from_that_of_the_answer_since_our_clock_may_be_wrong(date: str | None, seconds: float) -> None:
    assert parse_retry_after("Thu, 01 Jan 1970 00:00:30 GMT", NOW, date) == seconds


@pytest.mark.parametrize(("most", "seconds"), [(None, 7200.0), (60.0, 60.0), (9000.0, 7200.0)])
def test_the_file_may_cut_a_long_wait(most: float | None, seconds: float) -> None:
    assert capped(7200.0, most) == seconds
    assert capped(None, most) is None


@given(st.text() | st.from_regex(r"\w{3}, \d{1,3} \w{3} \d{1,6} \d\d:\d\d:\d\d [A-Z+0-9-]{1,6}", fullmatch=True))
def test_no_header_breaks_it(text: str) -> None:
    seconds = parse_retry_after(text, NOW)
    assert seconds is None or 0 <= seconds <= YEAR
