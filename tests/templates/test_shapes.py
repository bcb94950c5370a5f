"""Shapes: subsets, prefixes, JSON equality, and what a template in one equals."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import SOME
from wscli.jsontext import json_key
from wscli.templates import TemplateError
from wscli.templates.paths import ABSENT
from wscli.templates.shapes import Shape, compile_shape
from wscli.values import Scalar

SPACES = ("var", "sub", "with", "sent")
SCOPE = {"var": {"n": 7, "text": "abc", "tree": {"a": [1]}, "none": None, "word": "{any}"}, "sub": {"ref": 12}}


def compiled(tree: object) -> Shape:
    return compile_shape(tree, SPACES)


def fits(tree: object, value: object) -> bool:
    return compiled(tree).matches(value, SCOPE)


@pytest.mark.parametrize(
    ("tree", "value", "expected"),
    [
        ({}, {"a": 1}, True),
        ({}, [], False),
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"a": "1"}, False),
        ({"a": 1}, {"a": True}, False),
        ({"a": 0}, {"a": False}, False),
        ({"a": True}, {"a": 1}, False),
        ({"a": None}, {"a": None}, True),
        ({"a": None}, {}, False),
        ({"a": {"b": {}}}, {"a": {"b": {"c": 1}}}, True),
        ([1, 2], [1, 2, 3], True),
        ([1, 2], [1], False),
        ([{"a": 1}], [{"a": 1, "b": 2}], True),
        ([1, "{absent}"], [1], True),
        ([1, "{absent}"], [1, None], False),
        ("2probe", "2probe", True),
        ("", {}, False),
        ({"a": "{any}"}, {"a": None}, True),
        ({"a": "{any}"}, {}, False),
        ({"a": "{absent}"}, {}, True),
        ({"a": "{absent}"}, {"a": None}, False),
        ({"a": "{empty}"}, {"a": {}}, True),
        ({"a": "{empty}"}, {"a": {"b": 1}}, False),
        ({"a": "{empty}"}, {"a": []}, False),
        ("{empty}", {}, True),
        ("{any}", b"\xff", True),
        ({"a": "{{any}"}, {"a": "{any}"}, True),
        ({"a": "{{in:x}"}, {"a": "{in:x}"}, True),
        ({"x y.z": 1, "{}": 2}, {"x y.z": 1, "{}": 2}, True),
    ],
)
def test_a_shape_matches(tree: object, value: object, expected: bool) -> None:
    assert fits(tree, value) is expected


@pytest.mark.parametrize(
    ("alternatives", "value", "expected"),
    [
        ("{in:a|b}", "b", True),
        ("{in:a|b}", "c", False),
        ("{in:a|b}", ["a"], False),
        ("{in:a|4000-4099}", 4000, True),
        ("{in:a|4000-4099}", 4099, True),
        ("{in:a|4000-4099}", 4099.5, False),
        ("{in:a|4000-4099}", "4000", False),
        ("{in:1|2}", 2.0, True),
        ("{in:1|2}", "2", False),
        ("{in:1|2}", True, False),
        ("{in:0-1}", True, False),
        ('{in:"1"|"2"}', "2", True),
        ('{in:"1"|"2"}', 2, False),
        ("{in:-5--1|x}", -3, True),
        ("{in:true|null}", None, True),
        ("{in:true|null}", 1, False),
        ("{in:a b|c-d}", "c-d", True),
    ],
)
def test_alternatives_are_texts_numbers_and_ranges(alternatives: str, value: object, expected: bool) -> None:
    assert fits({"a": alternatives}, {"a": value}) is expected
    assert not fits({"a": alternatives}, {})


@pytest.mark.parametrize(
    ("template", "value", "expected"),
    [
        ("{sub.ref}", 12, True),
        ("{sub.ref}", 12.0, True),
        ("{sub.ref}", "12", False),
        ("{sub.ref:str}", "12", True),
        ("n{sub.ref}", "n12", True),
        ("{var.tree}", {"a": [1]}, True),
        ("{var.tree}", {"a": [1], "b": 2}, False),
        ("{var.none}", None, True),
        ("{var.none}", ABSENT, False),
        ("{var.word}", "{any}", True),
        ("{var.word}", "x", False),
        ("{var.gone}", None, False),
        ("{var.gone?5}", 5, True),
        ("{var.gone?5}", "5", False),
        ("{var.gone?}", "whatever", True),
        ("{var.gone?}", ABSENT, True),
        ("{var.text:int}", "abc", False),
        ("{var.text:int?}", "abc", False),
        ("{var.n:+1}", 8, True),
    ],
)
def test_a_template_in_a_shape_is_compared_with_its_json_type(template: str, value: object, expected: bool) -> None:
    shape = compiled({"a": template})
    message = {} if value is ABSENT else {"a": value}
    assert shape.matches(message, SCOPE) is expected
    assert shape.filled(SCOPE).matches(message, SCOPE) is expected
    assert compiled([{"b": {"a": template}}]).matches([{"b": message}], SCOPE) is expected


def test_a_placeholder_that_is_left_out_of_a_list_fits_anything_in_its_place() -> None:
    shape = compiled(["news", "{var.gone?}", "{var.number?}"])
    scope = {"var": {"number": 3}}
    assert shape.matches(["news", "x", 3], scope)
    assert not shape.matches(["news", "x", 4], scope)
    assert compiled(["news", "{var.gone?}"]).matches(["news"], scope)


def test_a_leaf_that_may_be_left_out_is_told_apart_from_those_that_must_be_equal() -> None:
    shape = compiled({"a": "{var.number}", "b": ["{var.word?}", "{any}"]})
    assert [one.path for one in shape.equalities] == [("a",)]
    (leaf,) = shape.optionals
    assert leaf.path == ("b", 0)
    assert leaf.key({"var": {"word": "news"}}) == "news"
    assert leaf.key({"var": {}}) is ABSENT


def test_filling_keeps_what_the_scope_lacks() -> None:
    shape = compiled({"a": "{sub.ref}", "b": "{var.gone}", "c": "{with.x}", "d": "{any}", "e": [1]})
    filled = shape.filled({"sub": {"ref": 12}, "var": {}})
    assert filled.references == {("var", "gone"), ("with", "x")}
    message = {"a": 12, "b": 1, "c": 2, "d": 3, "e": [1, 2]}
    assert filled.matches(message, {"var": {"gone": 1}, "with": {"x": 2}})
    assert not filled.matches(message, {"var": {}, "with": {"x": 2}})


def test_plain_scalars_are_what_json_reads_and_quoted_ones_are_text() -> None:
    shape = compiled({Scalar("a"): Scalar("10"), Scalar("b"): Scalar("10", plain=False), Scalar("c"): Scalar("null")})
    assert shape.matches({"a": 10, "b": "10", "c": None}, {})
    assert not shape.matches({"a": "10", "b": "10", "c": None}, {})


def test_the_value_of_a_variable_of_the_environment_is_literal() -> None:
    assert fits({"a": Scalar("{any}", plain=False, redacted="***")}, {"a": "{any}"})
    assert not fits({"a": Scalar("{any}", plain=False, redacted="***")}, {"a": 1})


def test_equalities_are_the_leaves_that_must_be_equal() -> None:
    shape = compiled({"id": "{sub.ref}", "t": ["x", None, "{any}"], "o": "{var.gone?}", "e": "{in:a|b}", "n": {}})
    assert [(leaf.path, leaf.key(SCOPE)) for leaf in shape.equalities] == [
        (("id",), 12),
        (("t", 0), "x"),
        (("t", 1), json_key(None)),
    ]
    message = {"id": 12.0, "t": ["x", None, 1], "e": "a", "n": {}}
    assert all(json_key(leaf.find(message)) == leaf.key(SCOPE) for leaf in shape.equalities)
    assert shape.equalities[0].key({}) is ABSENT
    assert shape.equalities[1].find({"t": []}) is ABSENT


def test_equal_shapes_are_equal_and_show_no_text() -> None:
    tree = {"a": ["{var.n}", 1, "{in:a|1-2}", "{any}", "secret"]}
    assert compiled(tree) == compiled(tree)
    assert hash(compiled(tree)) == hash(compiled(tree))
    assert compiled({"a": 1}) != compiled({"a": True})
    assert compiled({"a": "{any}"}) != compiled({"a": "{{any}"})
    assert repr(compiled(tree)) == "Shape(var.n)"


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ({"a": "{anny}"}, r"'\{anny\}': unknown word 'anny'; did you mean 'any'\? \('\{\{anny\}' writes it as text\)"),
        ({"a": "{x:1}"}, r"unknown word 'x'; there are \{any\}, \{absent\}, \{empty\}, \{in:a\|b\}"),
        ({"a": "{in}"}, "unknown word 'in'"),
        ({"a": "{any:1}"}, "unknown word 'any'"),
        ({"a": "{in:a||b}"}, "invalid alternative ''"),
        ({"a": "{in:}"}, "invalid alternative ''"),
        ({"a": "{in:{var.n}|b}"}, r"invalid alternative '\{var.n\}'"),
        ({"a": "{in:5-1}"}, "the range '5-1' is empty"),
        ({"a": {"any": None}}, r"'\{any\}' without quotes is a mapping to YAML; quote it"),
        ({"a": {Scalar("in:a|b"): Scalar("")}}, r"'\{in:a\|b\}' without quotes"),
        ({"a": {Scalar("sub.ref"): Scalar("")}}, r"'\{sub.ref\}' without quotes"),
        ({"a": "{token.t}"}, r"'\{token.t\}' cannot be used here; only '\{with.NAME\}'"),
        ({"{var.n}": 1}, "cannot be part of a key"),
    ],
)
def test_what_cannot_work_is_refused_with_what_can_stand_there(tree: object, words: str) -> None:
    with pytest.raises(TemplateError, match=words):
        compiled(tree)


def reference(shape: Any, value: Any) -> bool:
    """A shape without templates, spelt out."""
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(reference(item, value.get(key, ABSENT)) for key, item in shape.items())
    if isinstance(shape, list):
        found = [*value, *[ABSENT] * len(shape)] if isinstance(value, list) else []
        return isinstance(value, list) and all(map(reference, shape, found))
    if shape in ("{any}", "{absent}") and isinstance(shape, str):
        return (value is not ABSENT) is (shape == "{any}")
    return value is not ABSENT and json_key(shape) == json_key(value)


leaves = st.sampled_from([None, True, False, 0, 1, 1.0, 2, "", "1", "a"])
keys = st.sampled_from("abc")
values = st.recursive(leaves, lambda deep: st.lists(deep, max_size=3) | st.dictionaries(keys, deep, max_size=3))
shapes = st.recursive(
    leaves | st.sampled_from(["{any}", "{absent}"]),
    lambda deep: st.lists(deep, max_size=3) | st.dictionaries(keys, deep, max_size=3),
)


def subset(value: Any, draw: Any) -> Any:
    """Cut a value to a shape that it must match."""
    if isinstance(value, dict):
        return {key: subset(item, draw) for key, item in value.items() if draw(st.booleans())}
    if isinstance(value, list):
        return [subset(item, draw) for item in value[: draw(st.integers(0, len(value)))]]
    return draw(st.sampled_from([value, "{any}"]))


@given(shapes, values, st.data())
@settings(max_examples=SOME)
def test_shapes_match_as_the_obvious_reference(shape: Any, value: Any, data: st.DataObject) -> None:
    assert compiled(shape).matches(value, {}) is reference(shape, value)
    assert compiled(subset(value, data.draw)).matches(value, {})


@given(values, values)
@settings(max_examples=SOME)
def test_a_value_from_a_template_matches_by_json_equality(wanted: Any, value: Any) -> None:
    shape = compiled({"a": "{var.x}"})
    scope = {"var": {"x": wanted}}
    equal = json_key(wanted) == json_key(value)
    assert shape.matches({"a": value}, scope) is shape.filled(scope).matches({"a": value}, {}) is equal
    (leaf,) = shape.equalities
    assert (leaf.key(scope) == json_key(leaf.find({"a": value}))) is equal
