"""Bare parameters: channel names and paths."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wscli.templates import TemplateError, compile_name, compile_path


def test_a_path_is_filled_with_percent_encoded_segments() -> None:
    path = compile_path("/consultations/{id}/rooms/r-{room}/{id}")
    assert path.params == ("id", "room")
    assert path.render({"id": "a b", "room": "ü%2F&"}) == "/consultations/a%20b/rooms/r-%C3%BC%252F%26/a%20b"


@pytest.mark.parametrize("value", ["", ".", "..", "a/b", "a#b", "a?b", "a\0b", "\udc80"])
def test_a_value_that_is_not_one_segment_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="cannot be the parameter 'id' of a path: it"):
        compile_path("/c/{id}").render({"id": value})


def test_a_missing_parameter_is_refused() -> None:
    with pytest.raises(ValueError, match="the parameter 'id' has no value"):
        compile_path("/c/{id}").render({})


@given(st.text(min_size=1))
def test_a_filled_path_has_the_segments_it_was_written_with(value: str) -> None:
    try:
        path = compile_path("/c/{id}/x").render({"id": value})
    except ValueError:
        return
    assert path.count("/") == 3
    assert path.isascii()
    assert unquote(path.split("/")[2]) == value


@pytest.mark.parametrize(
    ("text", "expected"), [("/a b/ü", "/a%20b/%C3%BC"), ("/a%20b", "/a%20b"), ("/v1/x:y@z;p=1", "/v1/x:y@z;p=1")]
)
def test_literal_text_of_a_path_is_encoded_only_where_it_must_be(text: str, expected: str) -> None:
    assert compile_path(text).render({}) == expected


PATHS = ["/c/{id", "/c/id}", "/c/{}", "/c/{token.x}", "/c/{id:url}", "/c?a=b", "/c#x", "/c\r\nX: y", "/{{id}}"]
NAMES = ["c/{id}/{id}", "c/{a}{b}", "c/{a-b}", "c/{id"]


@pytest.mark.parametrize(
    ("compiles", "text"), [*((compile_path, path) for path in PATHS), *((compile_name, name) for name in NAMES)]
)
def test_what_is_neither_a_path_nor_a_name_is_refused(compiles: Callable[[str], object], text: str) -> None:
    with pytest.raises(TemplateError):
        compiles(text)


def test_a_name_gives_its_parameters() -> None:
    name = compile_name("consultations/{id}/rooms/{room}")
    assert name.params == ("id", "room")
    assert name.match("consultations/42/rooms/a.b") == {"id": "42", "room": "a.b"}


@pytest.mark.parametrize(
    "name",
    ["consultations/", "consultations", "consultations/a/b", "x/consultations/1", "consultations/..", "consultations/.",
     "consultations/a?b", "consultations/a#b", "consultations/a\nb",
     "consultations/\udc80", "consultations/" + "x" * 300],
)  # fmt: skip
def test_a_name_of_another_shape_or_that_could_not_be_a_segment_does_not_match(name: str) -> None:
    assert compile_name("consultations/{id}").match(name) is None


@given(st.from_regex(r"[a-zA-Z0-9 ._~é-]{1,20}", fullmatch=True))
def test_whatever_a_name_matches_a_path_can_be_filled_with(value: str) -> None:
    params = compile_name("c/{id}").match(f"c/{value}")
    if params is not None:
        assert compile_path("/c/{id}").render(params).startswith("/c/")


def test_a_plain_name_has_no_parameters_and_matches_itself_only() -> None:
    name = compile_name("a.b")
    assert name.params == ()
    assert name.match("a.b") == {}
    assert name.match("axb") is None
