"""Remote text cannot steer a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wscli.control.text import escape


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, with ünïcode and 漢字", "plain, with ünïcode and 漢字"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x9b31m", "\\x9b31m"),
        ("a\rb\nc\td\x7f\x00", "a\\rb\\nc\\td\\x7f\\x00"),
        ("invoice\u202efdp.exe", "invoice\\u202efdp.exe"),
        ("\u2066\u2069\u061c\u200f", "\\u2066\\u2069\\u061c\\u200f"),
        ("one\u2028two", "one\\u2028two"),
        ("\udc1b", "\\udc1b"),
        ("no-break\u00a0space", "no-break\u00a0space"),
    ],
)
def test_what_steers_a_terminal_is_written_out_and_all_else_stays(text: str, shown: str) -> None:
    assert escape(text) == shown


def test_what_is_kept_stays() -> None:
    assert escape("a\tb\nc\x1b", keep="\t\n") == "a\tb\nc\\x1b"
    assert escape("a\tb") == "a\\tb"


@given(st.text())
def test_nothing_below_space_nor_between_delete_and_c1_ever_comes_out(text: str) -> None:
    shown = escape(text)
    assert not any(ord(one) < 0x20 or 0x7F <= ord(one) < 0xA0 or 0xD800 <= ord(one) < 0xE000 for one in shown)
    assert escape(shown) == shown
