"""Which message is the reply."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from wscli.client.matching import check_match, matcher
from wscli.client.messages import Message
from wscli.errors import UsageError


def message(data: str | bytes) -> Message:
    return Message("calls", "k3f9", 1, 0.0, data)


@pytest.mark.parametrize(
    ("expression", "data", "is_reply"),
    [
        (".id == 7", '{"id": 7}', True),
        (".id == 7", '{"id": 8}', False),
        ("select(.id == 7)", '{"id": 7}', True),
        ("select(.id == 7)", '{"id": 8}', False),
        (".[] | . == 2", "[1, 2]", True),
        (".id", '{"id": null}', False),
        (". == 2 # a comment", "2", True),
        ("halt", "2", False),
    ],
)
def test_an_expression_is_true_where_one_of_its_results_is(expression: str, data: str, is_reply: bool) -> None:
    assert matcher(expression)(message(data)) is is_reply


@pytest.mark.parametrize("data", ["plain", "", "NaN", "[" * 100_000, b'{"id": 7}', "[1]", '"text"', "7 7"])
def test_what_is_not_json_or_fails_in_the_expression_is_no_reply(data: str | bytes) -> None:
    assert matcher(".id == 7")(message(data)) is False


@pytest.mark.parametrize("expression", [".id ==", "nothing(", "", ") | (true"])
def test_a_bad_expression_is_a_usage_error_that_quotes_it(expression: str) -> None:
    with pytest.raises(UsageError, match="does not compile") as caught:
        matcher(expression)
    assert repr(expression) in (caught.value.hint or "")


@pytest.mark.parametrize(("ref", "other"), [(7, 8), ("7", 7), ('"; 1', "x")])
def test_an_expression_knows_what_the_message_referred_to(ref: int | str, other: int | str) -> None:
    check_match(".id == $ref", refers=True)
    matches = matcher(".id == $ref", ref)
    assert matches(message(json.dumps({"id": ref})))
    assert not matches(message(json.dumps({"id": other})))
    assert not matches(message("[]"))


def test_a_reference_that_the_message_does_not_have_is_said_with_what_would_be_one() -> None:
    with pytest.raises(UsageError, match=r"\$ref is not defined") as caught:
        check_match(".id == $ref", refers=False)
    assert "{ref.int}" in (caught.value.hint or "")


def test_one_expression_serves_several_threads_at_once() -> None:
    matches = matcher(".id % 2 == 1")

    def count(offset: int) -> list[bool]:
        return [matches(message(f'{{"id": {number + offset}}}')) for number in range(200)]

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(count, range(4)))
    assert found == [[(number + offset) % 2 == 1 for number in range(200)] for offset in range(4)]


def test_a_function_is_taken_as_it_is() -> None:
    assert matcher(bool) is bool
