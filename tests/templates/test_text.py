"""Placeholders in text: what is one, what is literal, and what is an error."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wscli.templates import TemplateError, compile_template, unquoted_placeholder
from wscli.values import Scalar

SCOPE = {
    "token": {"session": "s3cret", "app-2": "a/b c", "nanoseconds": 1.7e18},
    "param": {"id": "42", "none": None, "n": 4},
}
BOTH = ("token", "param")


def render(text: str) -> str:
    return compile_template(text, BOTH).render(SCOPE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bearer {token.session}", "Bearer s3cret"),
        ("{token.session}{param.id}", "s3cret42"),
        ("{token.app-2:url}", "a%2Fb%20c"),
        ("{token.session:json}", '"s3cret"'),
        ("{token.app-2:base64}", "YS9iIGM="),
        ("{token.app-2:base64url}", "YS9iIGM"),
        ("{param.id:int}", "42"),
        ("{param.id:str}", "42"),
        ("{token.app-2:len}", "5"),
        ("{param.none} {param.n}", "null 4"),
        ('{"a":{"b":{token.session:json}}}', '{"a":{"b":"s3cret"}}'),
        ("{{token.x}", "{token.x}"),
        ("{{token.x}}", "{token.x}}"),
        ("{{{token.x}", "{{token.x}"),
        ("{{user.name}", "{user.name}"),
        ("{{var.url:url} {{param.id}", "{var.url:url} {param.id}"),
    ],
)
def test_a_placeholder_is_filled_and_a_doubled_brace_writes_one_as_text(text: str, expected: str) -> None:
    assert render(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "{id}", "{}", "{{id}}", '{"a":{"b":1}}', "{0.5}", "{token}", "{token.session", "{ token.session }", "{a.b c}"],
)
def test_every_other_brace_is_literal(text: str) -> None:
    template = compile_template(text, BOTH)
    assert template.is_literal
    assert template.render({}) == text


def test_what_is_filled_in_is_not_expanded_again() -> None:
    template = compile_template("{token.a}{token.b}", BOTH)
    assert template.render({"token": {"a": "{token.b}", "b": "{{token.a}"}}) == "{token.b}{{token.a}"


@given(st.text(), st.text())
def test_whatever_a_value_holds_it_arrives_unchanged(prefix: str, value: str) -> None:
    literal = prefix.replace("{", "")
    assert compile_template(literal + "{token.x}", BOTH).render({"token": {"x": value}}) == literal + value


@given(st.text(alphabet="{}token.x:json param_- a\n", max_size=40))
def test_any_text_compiles_or_is_refused_in_one_line(text: str) -> None:
    try:
        sentence = repr(compile_template(text, BOTH))
    except TemplateError as error:
        sentence = str(error)
    assert "\n" not in sentence


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{tokn.session}", "'{tokn.session}': unknown namespace 'tokn'; did you mean 'token'?"),
        ("{Token.session}", "did you mean 'token'?"),
        ("x {example.com}", "'{{example.com}' writes it as text"),
        ("{var.url}", "'{var.url}' cannot be used here; only '{token.NAME}' and '{param.NAME}' can"),
        ("{ref.int}", "'{ref.int}' cannot be used here"),
        ("{token.}", "invalid placeholder '{token.}'; write '{token.NAME}'"),
        ("{token.my token}", "invalid placeholder"),
        ("{token.session:jsn}", "unknown filter 'jsn'; did you mean 'json'?"),
        ("{token.session:zzzz}", "filters are str, int, json, base64, base64url, url, len, list"),
        ("{token.session:}", "unknown filter ''"),
        (Scalar("{token.session}", redacted="{token.***}"), "a placeholder cannot contain '${...}'"),
    ],
)
def test_a_misspelt_placeholder_is_refused_with_a_way_out(text: str, sentence: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_template(text, BOTH)
    assert sentence in str(caught.value)


def test_where_no_namespace_is_allowed_no_placeholder_is() -> None:
    with pytest.raises(TemplateError, match=r"'\{token.x\}' cannot be used here; no placeholder can"):
        compile_template("{token.x}", ())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{token.gone}", "'{token.gone}' has no value"),
        ("{token.session:int}", "does not fit its filter"),
        ("{token.nanoseconds:rfc3339}", "does not fit its filter"),
    ],
)
def test_what_cannot_be_filled_names_the_placeholder_and_not_the_value(text: str, sentence: str) -> None:
    with pytest.raises(TemplateError, match=sentence) as caught:
        render(text)
    assert "s3cret" not in str(caught.value)


def test_what_came_from_the_environment_is_never_a_placeholder() -> None:
    text = Scalar("Basic {token.session}{tokn.x}{{param.id}:{token.app-2:url}", redacted="Basic ***:{token.app-2:url}")
    template = compile_template(text, BOTH)
    assert template.references == {("token", "app-2")}
    assert template.render(SCOPE) == "Basic {token.session}{tokn.x}{{param.id}:a%2Fb%20c"


def test_a_template_is_never_printed() -> None:
    assert "hunter2" not in repr(compile_template("hunter2 {token.x}", BOTH)) + repr(compile_template("hunter2", BOTH))


def test_templates_are_equal_by_their_text() -> None:
    assert compile_template("a{token.x}", BOTH) == compile_template("a{token.x}", BOTH)
    assert hash(compile_template("a", BOTH)) == hash(compile_template("a", ()))
    assert compile_template("a{token.x}", BOTH) != compile_template("a{token.y}", BOTH)
    escaped = Scalar("{token.x}", redacted="***")
    assert compile_template(escaped, BOTH) != compile_template("{token.x}", BOTH)


def test_a_literal_costs_little_more_than_its_text() -> None:
    text = "https://app.example.com"
    template = compile_template(text, BOTH)
    assert template.render({}) is template.source
    assert sys.getsizeof(template) <= 64
    assert template.references is compile_template("other", BOTH).references


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({Scalar("token.x"): Scalar("")}, "{token.x}"),
        ({"ref.int:str": None}, "{ref.int:str}"),
        ({"token.x": Scalar("", plain=False)}, None),
        ({"token.x": "y"}, None),
        ({"id": None}, None),
        ("{token.x}", None),
        ({}, None),
    ],
)
def test_an_unquoted_placeholder_is_recognised(value: object, expected: str | None) -> None:
    assert unquoted_placeholder(value) == expected
