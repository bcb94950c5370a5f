"""What a call says of a gap holds all of it."""

from __future__ import annotations

import pytest

from wscli.backfill.gaps import captured, facts_of
from wscli.templates.paths import compile_path_expression

ID = {"id": compile_path_expression(".id"), "room": compile_path_expression(".at.room")}


@pytest.mark.parametrize(
    ("last_at", "since"),
    [
        pytest.param(80.9, 80, id="the connection may have been dead since its last message"),
        pytest.param(None, 100, id="without a message before it a gap begins when it began"),
        pytest.param(200.0, 100, id="a clock that stepped back shortens nothing"),
    ],
)
def test_the_facts_of_a_gap_hold_all_of_it(last_at: float | None, since: int) -> None:
    expected = {"after": 7, "since": since, "start": 100, "end": 131}
    assert facts_of(after=7, last_at=last_at, start=100.5, end=130.2) == expected


def test_the_newest_message_that_has_everything_is_captured() -> None:
    messages = [b"no JSON", b'{"id": 3}', b'{"id": 2, "at": {"room": null}}', b'{"id": 1, "at": {"room": "a"}}']
    assert captured(ID, messages) == {"id": 1, "room": "a"}, "null says nothing that could be asked by"
    assert captured(ID, [b"[" * 100_000, b"\xff"]) is None
