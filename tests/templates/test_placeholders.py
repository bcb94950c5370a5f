"""What a placeholder becomes: defaults, sums, paths of a message, bytes, the time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wscli.templates import TemplateError, compile_json, compile_template, now, unquoted_placeholder
from wscli.templates.paths import ABSENT
from wscli.values import Scalar

SPACES = ("var", "msg", "now", "sent", "sub", "ref")
SCOPE = {
    "var": {"n": 7, "big": 2**80, "text": "a b", "none": None, "seven": "7", "raw": b"\xff\x00", "word": "é".encode()},
    "msg": {"a": {"b": [10, {"c-d": "x"}], "0": "zero"}, "n": 1, "": "empty", "gone": None},
    "now": now(1764504000.789),
}


def render(text: str, scope: dict[str, Any] = SCOPE) -> str:
    return compile_template(text, SPACES).render(scope)


def value(text: str) -> Any:
    return compile_json(text, SPACES).render(SCOPE)


@pytest.mark.parametrize(
    ("text", "as_text", "as_json"),
    [
        ("{var.n?5}", "7", 7),
        ("{var.x?5}", "5", 5),
        ("{var.x?null}", "null", None),
        ("{var.x?true}", "true", True),
        ("{var.x?010}", "010", "010"),
        ("{var.x?none}", "none", "none"),
        ("{var.x?wss://h:8/p?q=1}", "wss://h:8/p?q=1", "wss://h:8/p?q=1"),
        ("{var.x:int?abc}", "abc", "abc"),
        ("{var.x:json?a\nb}", "a\nb", "a\nb"),
        ("{var.x?}", "", ABSENT),
        ("{var.none?5}", "null", None),
        ("{msg.gone?5}", "null", None),
        ("{msg.a.x?5}", "5", 5),
        ("{sent.ref?5}", "5", 5),
        ("a{var.x?}b{var.x?c}", "abc", "abc"),
    ],
)
def test_a_default_stands_for_what_has_no_value(text: str, as_text: str, as_json: object) -> None:
    assert render(text) == as_text
    found = value(text)
    assert (found, type(found)) == (as_json, type(as_json))


def test_an_empty_default_leaves_out_the_key_and_the_element() -> None:
    tree = {"a": "{var.x?}", "b": ["{var.x?}", 1, ["{var.y?}"]], "c": {"d": "{msg.zz?}"}, "e": "-{var.x?}", "f": None}
    assert compile_json(tree, SPACES).render(SCOPE) == {"b": [1, []], "c": {}, "e": "-", "f": None}
    assert compile_json("{var.x?}", SPACES).render(SCOPE) is ABSENT


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{var.n:+1}", 8),
        ("{var.n:-10}", -3),
        ("{var.seven:+1}", 8),
        ("{var.big:+1}", 2**80 + 1),
        ("{var.x:+1?0}", 0),
        ("{msg.a.b.0:-1}", 9),
    ],
)
def test_a_sum_is_a_whole_number(text: str, expected: int) -> None:
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{msg}", SCOPE["msg"]),
        ("{msg.a.b}", [10, {"c-d": "x"}]),
        ("{msg.a.b.1.c-d}", "x"),
        ("{msg.a.0}", "zero"),
        ("{msg:len}", 68),
        ("{msg.n?5}", 1),
        ("{msg?5}", SCOPE["msg"]),
        ("{msg.a.b.2?none}", "none"),
        ("{msg.n.x?none}", "none"),
        ("{msg.a.b.-1?none}", "none"),
    ],
)
def test_parts_of_a_message_are_found_by_keys_and_indices(text: str, expected: object) -> None:
    assert value(text) == expected


def test_a_whole_message_in_text_is_compact_json_and_a_text_is_itself() -> None:
    assert render("<{msg}>", {"msg": {"a": [1, "ä"]}}) == '<{"a":[1,"ä"]}>'
    assert render("<{msg}> {msg:json}", {"msg": 'a"b'}) == '<a"b> "a\\"b"'
    assert render("{{msg} {{msg:json} {msg.a?-}", {"msg": 1}) == "{msg} {msg:json} -"


def test_a_list_can_be_demanded() -> None:
    assert compile_json("{var.l:list}", SPACES).render({"var": {"l": [1]}}) == [1]
    with pytest.raises(TemplateError, match="does not fit its filter"):
        value("{var.word:list}")


@pytest.mark.parametrize(("text", "expected"), [("base64", "/wA="), ("base64url", "_wA"), ("len", 2)])
def test_bytes_can_be_encoded_or_counted(text: str, expected: object) -> None:
    assert value(f"{{var.raw:{text}}}") == expected
    assert value("{var.word:base64}") == "w6k="


@pytest.mark.parametrize("text", ["{var.raw}", "{var.word}", "x{var.raw}", "{var.raw?5}"])
def test_bytes_cannot_stand_as_they_are(text: str) -> None:
    with pytest.raises(TemplateError, match=r"the value of '\{var.(raw|word)\}' is bytes; write '\{var.\w+:base64\}'"):
        value(text)


@pytest.mark.parametrize("text", ["{var.raw:str}", "{var.raw:json}", "{var.raw:int}", "{var.raw:url}", "{var.raw:+1}"])
def test_bytes_fit_no_other_filter(text: str) -> None:
    with pytest.raises(TemplateError, match="does not fit its filter"):
        value(text)


def test_the_time_is_there_in_three_forms() -> None:
    assert value("{now.ms}") == 1764504000789
    assert value("{now.s}") == 1764504000
    assert value("{now.rfc3339}") == "2025-11-30T12:00:00Z"


@pytest.mark.parametrize("text", ["{var.text:+1}", "{var.none:-1}", "{var.text:int?5}", "{msg.a:+1?0}"])
def test_a_value_that_the_filter_refuses_is_an_error_also_with_a_default(text: str) -> None:
    with pytest.raises(TemplateError, match="does not fit its filter"):
        render(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{var.a.b}", "invalid placeholder '{var.a.b}'; write '{var.NAME}' or '{var.NAME:filter}'"),
        ("{msg.a..b}", "invalid placeholder '{msg.a..b}'"),
        ("{msg.}", "invalid placeholder '{msg.}'"),
        ("{var.n:+x}", "unknown filter '+x'"),
        ("{var.n:1}", "unknown filter '1'; filters are str, int, json, base64, base64url, url, len, list"),
        ("{msg:jsn}", "'{msg:jsn}': unknown filter 'jsn'; did you mean 'json'?"),
        ("{vars.x?5}", "'{vars.x?5}': unknown namespace 'vars'; did you mean 'var'? ('{{vars.x?5}' writes it as text)"),
        ("{token.x?5}", "'{token.x?5}' cannot be used here"),
    ],
)
def test_a_misspelt_placeholder_says_what_may_stand_there(text: str, sentence: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_template(text, SPACES)
    assert sentence in str(caught.value)


def test_a_message_is_refused_where_there_is_none() -> None:
    with pytest.raises(TemplateError, match=r"'\{msg:json\}' cannot be used here; only '\{var.NAME\}' can"):
        compile_template("x {msg:json}", ("var",))
    assert compile_template("x {{msg}", ("var",)).render({}) == "x {msg}"


def test_in_a_url_a_value_is_encoded_and_its_default_is_not() -> None:
    template = compile_template("wss://h/{var.text}/{var.x?a/b}/{var.text:url}", SPACES)
    assert template.render(SCOPE, encoded=("var",)) == "wss://h/a%20b/a/b/a%20b"


def test_a_value_that_a_url_begins_with_is_the_url_up_to_there() -> None:
    scope = {"with": {"base": "https://h:1", "name": "a/b"}}
    template = compile_template("{with.base}/x/{with.name}", ("with",))
    assert template.render(scope, encoded=("with",)) == "https://h:1/x/a%2Fb"
    assert compile_template("{with.base}", ("with",)).render(scope, encoded=("with",)) == "https://h:1"


def test_a_partly_filled_text_uses_the_default_only_where_the_scope_has_the_namespace() -> None:
    template = compile_template("{var.x?a}{sub.y?b}{var.n}", SPACES)
    first, later, last = template.partly_filled({"var": {"n": 7}})
    assert (first, str(later), last) == ("a", "{sub.y}", "7")


@pytest.mark.parametrize(
    ("tree", "meant"),
    [
        ({"var.x?null": None}, "{var.x?null}"),
        ({Scalar("msg"): Scalar("")}, "{msg}"),
        ({Scalar("msg:json"): Scalar("")}, "{msg:json}"),
        ({Scalar("msg"): Scalar("null")}, None),
        ({"ref.int:+1": None}, "{ref.int:+1}"),
        ({"data.x": None}, None),
    ],
)
def test_an_unquoted_placeholder_is_noticed(tree: object, meant: str | None) -> None:
    assert unquoted_placeholder(tree) == meant


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(json_values, st.text().filter(lambda text: not set(text) & set("{}")))
def test_any_value_keeps_its_type_and_any_default_is_its_text(found: Any, default: str) -> None:
    template = compile_json({"a": "{var.x}", "b": f"-{{var.y?{default}}}"}, SPACES)
    assert template.render({"var": {"x": found}}) == {"a": found, "b": f"-{default}"}
