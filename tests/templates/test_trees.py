"""JSON templates: types kept, keys literal, an unquoted placeholder caught."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wscli.templates import JsonTemplate, TemplateError, compile_json
from wscli.values import Scalar

SCOPE = {"token": {"t": "abc"}, "param": {"n": 7, "list": [1, None], "text": "5"}}


def compiled(value: object) -> JsonTemplate:
    return compile_json(value, ("token", "param"))


def test_a_leaf_that_is_one_placeholder_keeps_its_json_type() -> None:
    template = compiled({"a": "{param.n}", "b": ["{param.list}", "n={param.n} {param.list}"], "c": "{param.text:int}"})
    assert template.render(SCOPE) == {"a": 7, "b": [[1, None], "n=7 [1,null]"], "c": 5}
    assert template.references == {("param", "n"), ("param", "list"), ("param", "text")}


def test_plain_scalars_are_typed_as_json_would_and_quoted_ones_are_text() -> None:
    tree = {
        Scalar("n"): Scalar("10"),
        Scalar("t"): [Scalar("true"), Scalar("null"), Scalar("10", plain=False), Scalar("no")],
        Scalar("token"): Scalar("{token.t}", plain=False),
    }
    assert compiled(tree).render(SCOPE) == {"n": 10, "t": [True, None, "10", "no"], "token": "abc"}


def test_every_rendering_is_a_new_value() -> None:
    template = compiled({"a": [1]})
    template.render({})["a"].append(2)
    assert template.render({}) == {"a": [1]}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(alphabet='ab{}"\\ \n'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner, max_size=3),
    max_leaves=10,
)


@given(json_values)
def test_json_without_placeholders_renders_as_it_stands(value: object) -> None:
    assert compiled(value).render({}) == value
    assert compiled(value) == compiled(value)


@pytest.mark.parametrize("value", [{"id": {"token.t": None}}, [{Scalar("token.t"): Scalar("")}]])
def test_an_unquoted_placeholder_says_quote_it(value: object) -> None:
    with pytest.raises(TemplateError, match=r"'\{token.t\}' without quotes is a mapping to YAML; quote it"):
        compiled(value)


def test_a_placeholder_in_a_key_is_refused() -> None:
    with pytest.raises(TemplateError, match=r"'\{token.t\}' cannot be part of a key"):
        compiled({"x{token.t}": 1})
    assert compiled({"{{token.t}": 1}).render({}) == {"{token.t}": 1}


def test_unknown_names_are_found_at_any_depth() -> None:
    with pytest.raises(TemplateError, match="did you mean 'token'"):
        compiled({"a": [{"b": "{tokn.t}"}]})


def test_one_and_true_are_different_json() -> None:
    assert compiled({"a": 1}) != compiled({"a": True})
    assert compiled({"a": [1, 2]}) != compiled({"a": [1]})


def test_a_json_template_is_never_printed() -> None:
    assert "hunter2" not in repr(compiled({"a": "hunter2{token.t}", "b": "hunter2"}))
