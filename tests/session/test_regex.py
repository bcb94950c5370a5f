"""Regexes: those that are accepted take linear time, whatever the text; counted in steps of a backtracking machine."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.examples import EXAMPLES
from wscli.session.regex import compile_linear_regex

parser: Any = import_module("re._parser")


@pytest.mark.parametrize(
    "text",
    [
        r"(?P<type>[0-9])(?P<json>[\[{][\s\S]*)?",
        r"4(?P<type>[0-6])(?:(?P<ns>/[^,]+),)?(?P<id>[0-9]+)?(?P<json>[\[{][\s\S]*)?",
        r"(?P<command>[A-Z]+)\r?\n(?P<headers>(?:[^\r\n]+\r?\n)*)\r?\n(?P<body>[\s\S]*)",
        r"MSG (?P<subject>[^ ]+) (?P<sid>[^ ]+) (?:(?P<reply>[^ ]+) )?(?P<size>[0-9]+)\r\n(?P<bytes>[\s\S]*)",
        r"(?:@(?P<tags>[^ ]*) )?(?::(?P<from>[^ ]*) )?(?P<cmd>[A-Z]+)(?: (?P<params>[^:]*))?(?::(?P<text>.*))?",
        r"(?:a|ab)*",
        r"(?:ab|cd)*ef",
        r"(?:a?){3}a{3}",
        r"a{1,5}a",
        r"(?:a{1,3}b)*",
        r"\w+\W|x",
        r"^a*$",
        r"a*?b",
        r"(?s)[^x]*x.*",
        r"",
    ],
)
def test_what_protocols_need_is_accepted(text: str) -> None:
    assert compile_linear_regex(text).pattern == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("(", "invalid regex '\\('"),
        ("a{2}{3}", "multiple repeat"),
        ("a*a", "a repeat and what follows it can both begin with 'a'"),
        (".*x", "can both begin with 'x'"),
        (r"[0-9]+[\s\S]*", "can both begin with '0'"),
        (r"\w+\d", "can both begin with '0'"),
        (r"[\s\S]+\n", r"can both begin with '\\n'"),
        ("(a+)+b", "can both begin with 'a'"),
        ("(?:a|a)*", "within a repeat, two alternatives can begin with 'a'"),
        ("(?:ab|a|b)*", "within a repeat, two alternatives"),
        ("(?:a?)*", "may match nothing over and over"),
        ("(?:a{1,3}a)*", "can both begin with 'a'"),
        ("(?:a?){30}a{30}", "too many of its parts can match the same text"),
        ("[a-z]{0,100}[a-z]", "too many"),
        (r"(a)\1", "no lookaround, backreference or condition"),
        ("(?=a)a", "no lookaround"),
        ("(?<!a)b", "no lookaround"),
        ("(a)(?(1)b|c)", "no lookaround, backreference or condition"),
        ("(?i)a", r"'\(\?s\)' is the only flag"),
        ("(?i:a)b", "a group cannot have flags"),
        ("a" * 1001, "longer than 1000 characters"),
    ],
)  # fmt: skip
def test_what_may_take_too_long_is_refused_in_one_line(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        compile_linear_regex(text)
    assert "\n" not in str(caught.value)


def test_classes_are_ascii() -> None:
    assert compile_linear_regex(r"\d+ \w\s").fullmatch("12 a ")
    assert not compile_linear_regex(r"\d").fullmatch("٣")


class Machine:
    """A regex as a program for a machine that tries one choice after the other, as ``re`` does."""

    def __init__(self, text: str) -> None:
        self.code: list[Any] = []
        self._add(parser.parse(text, re.ASCII))

    def _add(self, items: Any) -> None:
        for op, arg in items:
            getattr(self, f"_{op}".lower())(arg)

    def _literal(self, sign: int) -> None:
        self.code.append({chr(sign)})

    def _in(self, items: Any) -> None:
        signs = {chr(sign) for sign in (97, 98, 99) if any(self._has(item, sign) for item in items)}
        self.code.append(set("abc") - signs if str(items[0][0]) == "NEGATE" else signs)

    @staticmethod
    def _has(item: Any, sign: int) -> bool:
        op, arg = item
        return (str(op) == "LITERAL" and arg == sign) or (str(op) == "RANGE" and arg[0] <= sign <= arg[1])

    def _not_literal(self, sign: int) -> None:
        self.code.append(set("abc") - {chr(sign)})

    def _subpattern(self, arg: Any) -> None:
        self._add(arg[-1])

    def _branch(self, arg: Any) -> None:
        *heads, last = arg[1]
        jumps = []
        for branch in heads:
            split = len(self.code)
            self.code.append(None)
            self._add(branch)
            jumps.append(len(self.code))
            self.code.append(None)
            self.code[split] = (split + 1, len(self.code))
        self._add(last)
        for jump in jumps:
            self.code[jump] = (len(self.code),)

    def _max_repeat(self, arg: Any) -> None:
        least, most, body = arg
        for _ in range(least):
            self._add(body)
        endless = most >= int(parser.MAXREPEAT)
        for _ in range(1 if endless else most - least):
            split = len(self.code)
            self.code.append(None)
            self._add(body)
            if endless:
                self.code.append((split,))
            self.code[split] = (split + 1, len(self.code))

    def run(self, text: str, most: int) -> tuple[bool, int]:
        """Match the whole text; give whether it fits, and the steps taken."""
        threads, steps = [(0, 0)], 0
        while threads and steps < most:
            at, place = threads.pop()
            while steps < most:
                steps += 1
                if at == len(self.code):
                    if place == len(text):
                        return True, steps
                    break
                step = self.code[at]
                if isinstance(step, tuple):
                    threads += [(other, place) for other in step[:0:-1]]
                    at = step[0]
                elif place < len(text) and text[place] in step:
                    at, place = at + 1, place + 1
                else:
                    break
        return False, steps


atoms = st.sampled_from(["a", "b", "c", "[ab]", "[^a]", "[^ab]", "[a-c]"])
regexes = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}"])).map(
            lambda two: f"(?:{two[0]}){two[1]}"
        ),
    ),
    max_leaves=8,
)
words = st.text("abc", max_size=3)


@given(regexes, words, st.text("abc", min_size=1, max_size=3), words)
@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
def test_an_accepted_regex_takes_linear_time_on_any_text(regex: str, start: str, pump: str, end: str) -> None:
    try:
        pattern = compile_linear_regex(regex)
    except ValueError:
        assume(False)
    machine = Machine(regex)
    texts = [start + pump * count + end for count in (20, 80, 320)]
    results = [machine.run(text, 200_000) for text in texts]
    assert [fits for fits, _ in results] == [pattern.fullmatch(text) is not None for text in texts]
    (_, few), (_, some), (_, many) = results
    assert many <= 5 * some + 1000
    assert many <= 20 * few + 4000


def test_the_machine_finds_what_is_not_linear() -> None:
    slow = Machine("(?:a)*(?:a)*b")
    assert slow.run("a" * 320, 10**6)[1] > 10 * slow.run("a" * 80, 10**6)[1]
