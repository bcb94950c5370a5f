"""References: fresh in each message, equal within it, and everything else is text."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wscli.control.requests import refers
from wscli.daemon.upstream.refs import MOST, Referring, Refs
from wscli.errors import UsageError


def fill(text: str) -> tuple[int | str | None, str]:
    return Referring(text).fill(Refs())


@pytest.mark.parametrize(
    ("text", "ref", "filled"),
    [
        ('{"id":{ref.int}}', 1, '{"id":1}'),
        ('{"id":{ref.int},"of":{"id":{ref.int}}}', 1, '{"id":1,"of":{"id":1}}'),
        ('{"id":"{ref.str}"}', "1", '{"id":"1"}'),
        ('{"id":{ref.str:json}}', "1", '{"id":"1"}'),
        ("{{ref.int}", None, "{ref.int}"),
        ("{{ref.int} {ref.int}", 1, "{ref.int} 1"),
        ("{{{ref.int}", None, "{{ref.int}"),
        ("{{ref.whatever}", None, "{ref.whatever}"),
        ("{ref} {ref.} {ref.a.b} {ref .int} {REF.int}", None, "{ref} {ref.} {ref.a.b} {ref .int} {REF.int}"),
        ("{token.x} {{token.x} {param.id} {any.thing}", None, "{token.x} {{token.x} {param.id} {any.thing}"),
        ("", None, ""),
    ],
)
def test_only_references_are_filled(text: str, ref: int | str | None, filled: str) -> None:
    assert fill(text) == (ref, filled)
    assert refers(text) is (ref is not None)


def test_each_message_has_a_fresh_one() -> None:
    refs, message = Refs(), Referring("{ref.int}")
    assert [message.fill(refs) for _ in range(3)] == [(1, "1"), (2, "2"), (3, "3")]
    assert Referring("{ref.str}").fill(refs) == ("4", "4")
    ref, text = Referring("{ref.uuid} {ref.uuid}").fill(refs)
    assert text == f"{ref} {ref}"
    assert UUID(str(ref)).version == 4


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{ref.int} {ref.str}", r"'\{ref.int\}' and '\{ref.str\}'"),
        ("{ref.it}", r"no reference is called '\{ref.it\}'"),
        ("{ref.uuid:int}", "does not fit"),
        ("{ref.int:nope}", "unknown filter"),
    ],
)
def test_what_cannot_be_filled_is_a_usage_error_with_a_way_out(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        Referring(text)
    assert caught.value.hint


def test_a_message_has_a_thousand_references_at_most_so_that_filling_them_holds_up_nobody() -> None:
    assert fill("{ref.int}" * MOST) == (1, "1" * MOST)
    for text in ("{ref.int}" * (MOST + 1), "{{ref.int}" * (MOST + 1)):
        with pytest.raises(UsageError, match="over 1000 references"):
            Referring(text)


@given(st.text(alphabet="{}ref.int:x ") | st.text())
def test_any_text_is_filled_or_refused_and_text_without_references_stays(text: str) -> None:
    try:
        ref, filled = fill(text)
    except UsageError:
        assert refers(text)
        return
    assert (ref is not None) is refers(text)
    if "{ref." not in text:
        assert filled == text
