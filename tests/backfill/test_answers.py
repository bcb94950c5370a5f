"""What an answer holds becomes messages, oldest first, or is refused in words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wscli.backfill.answers import parse_messages
from wscli.backfill.models import BackfillModel
from wscli.tokens.errors import SourceFailed


def declared(**more: Any) -> BackfillModel:
    return BackfillModel.model_validate({"http": {"get": "https://example.com/orders"}, "id": ".id", **more})


@pytest.mark.parametrize(
    ("answer", "more", "messages"),
    [
        ('[{"id": 1}, "plain text", 3, null]', {}, ['{"id":1}', "plain text", "3", "null"]),
        (
            '{"orders": [{"n": 1, "body": {"id": "a"}}, {"n": 2, "body": {"id": "ü"}}]}',
            {"items": ".orders", "show": ".body"},
            ['{"id":"a"}', '{"id":"ü"}'],
        ),
        ("[3, 2, 1]", {"order": "newest"}, ["1", "2", "3"]),
    ],
)
def test_the_messages_of_an_answer(answer: str, more: dict[str, Any], messages: list[str]) -> None:
    assert parse_messages(answer, declared(**more)) == [message.encode() for message in messages]


@pytest.mark.parametrize(
    ("answer", "more", "words"),
    [
        ("<html>", {}, "the answer is an HTML page, not JSON"),
        ("{}", {}, "the answer has no list at ."),
        ('{"orders": {}}', {"items": ".orders"}, "the answer has no list at .orders"),
        ("[1]", {"show": ".body"}, "an item of the answer has nothing at .body"),
        ("[1e999]", {}, "an item of the answer holds a number that is too large"),
        ("[NaN]", {}, "the answer is not JSON"),
    ],
)
def test_what_is_no_such_answer(answer: str, more: dict[str, Any], words: str) -> None:
    with pytest.raises(SourceFailed, match=f"^{words.replace('.', '[.]')}$"):
        parse_messages(answer, declared(**more))


leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text())
values = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@given(st.lists(values))
def test_any_list_comes_out_as_what_it_was(items: list[Any]) -> None:
    for item, message in zip(items, parse_messages(json.dumps(items), declared()), strict=True):
        text = message.decode()
        if isinstance(item, str):
            assert text == item.encode("utf-8", "replace").decode()
        elif "\\ud" not in json.dumps(item):
            assert json.loads(text) == item


@given(st.text())
def test_any_text_is_a_list_or_refused(text: str) -> None:
    try:
        messages = parse_messages(text, declared())
    except SourceFailed as error:
        assert error.text  # noqa: PT017 - either way is right
    else:
        assert all(isinstance(message, bytes) for message in messages)
