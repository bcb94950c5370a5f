"""What a call says of a gap holds all of it."""

from __future__ import annotations

from wscli.backfill.gaps import captured, facts_of
from wscli.templates.paths import compile_path_expression

ID = {"id": compile_path_expression(".id"), "room": compile_path_expression(".at.room")}


def test_a_connection_may_have_been_dead_since_its_last_message() -> None:
    assert facts_of(after=7, last_at=80.9, start=100.5, end=130.2) == {
        "after": 7,
        "since": 80,
        "start": 100,
        "end": 131,
    }


def test_without_a_message_before_it_a_gap_begins_when_it_began() -> None:
    assert facts_of(after=0, last_at=None, start=100.5, end=130.0)["since"] == 100


def test_a_clock_that_stepped_back_shortens_nothing() -> None:
    assert facts_of(after=7, last_at=200.0, start=100.5, end=130.0)["since"] == 100


def test_the_newest_message_that_has_everything_is_captured() -> None:
    messages = [b"no JSON", b'{"id": 3}', b'{"id": 2, "at": {"room": null}}', b'{"id": 1, "at": {"room": "a"}}']
    assert captured(ID, messages) == {"id": 1, "room": "a"}, "null says nothing that could be asked by"


def test_where_none_has_nothing_is() -> None:
    assert captured(ID, [b"[" * 100_000, b"\xff"]) is None
