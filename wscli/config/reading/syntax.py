"""Translate PyYAML's errors into sentences that tell a user what to correct."""

from __future__ import annotations

from typing import Any

import yaml

from wscli.config.reading.nodes import Mark

__all__ = ["mark_of", "explain_error"]

_FALLBACK = "this is not valid YAML"
_SENTENCES = (
    # Words of PyYAML's two parsers, and our sentence; the first match applies.
    (("tab character",), "a tab; YAML indents with spaces"),
    (("nesting depth",), "this is nested more than a thousand levels deep; 32 are the most that a file may have"),
    (("mapping values are not allowed",), "a ':' that fits nowhere; quote the text, or look at the line above"),
    (("could not find expected ':'",), "a key without its ':'"),
    (("unexpected end of stream",), "this quote is never closed"),
    (("unexpected document",), "this quote is never closed"),
    (("escape", "hexdecimal"), "an escape that YAML does not know; within single quotes a backslash is itself"),
    (("<document start>",), "something follows where the file should end; look at the indentation and the quotes"),
    (("incompatible YAML", "%YAML", "directive"), "a directive that this file cannot have; remove the line"),
    (("tag", "URI"), "tags ('!...') are not allowed; remove it"),
    (("anchor", "alphabetic or numeric"), "a name must follow '&' and '*'; quote the text if none is meant"),
    (("block scalar", "chomping", "comment or line break"), "after '|' or '>' the text begins on the next line"),
    (
        ("expected <block end>", "did not find expected key", "'-' indicator"),
        "the indentation does not fit the lines above",
    ),
    (("node content",), "a value is missing here"),
)


def mark_of(mark: Any) -> Mark:
    """Count from one; each of PyYAML's parsers has a class of its own for marks."""
    return Mark(mark.line + 1, mark.column + 1)


def explain_error(error: yaml.YAMLError, text: str) -> tuple[Mark, str]:
    """Give the place and a sentence, without the library's wording and without the file's content."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Mark(1, 1), _FALLBACK
    at, problem = error.problem_mark, error.problem or ""
    begun = error.context_mark or at
    here = _line(text, at)[at.column : at.column + 1]
    if "cannot start any token" in problem and here != "\t":
        return mark_of(at), f"no value begins with {here!r}; quote it"
    if "expected ',' or" in problem:
        return _unfinished(text, at, begun, problem)
    for words, sentence in _SENTENCES:
        if any(word in problem for word in words):
            return mark_of(begun if "quoted scalar" in (error.context or "") else at), sentence
    return mark_of(at), _SENTENCES[0][1] if here == "\t" else _FALLBACK


def _line(text: str, mark: yaml.Mark) -> str:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[mark.line] if mark.line < len(lines) else ""


def _unfinished(text: str, at: yaml.Mark, begun: yaml.Mark, problem: str) -> tuple[Mark, str]:
    """A flow collection that goes on wrongly: most often an unquoted brace, or no end at all."""
    closing = "}" if "'}'" in problem else "]"
    line = _line(text, at)
    if line[at.column : at.column + 1] == "{":
        if line[at.column - 1 : at.column] == "$":
            end = line.find("}", at.column)
            meant = line[at.column - 1 : end + 1] if end >= 0 else "${...}"
            text = f'quote "{meant}" here: within {{...}} and [...] a bare brace is YAML\'s'
            return Mark(at.line + 1, at.column), text
        return mark_of(at), "'{' has a meaning of its own within {...} and [...]; quote the whole value"
    if not line[at.column :].strip():
        return mark_of(begun), f"this '{'{' if closing == '}' else '['}' is never closed"
    opened = f"; it began on line {begun.line + 1}" if begun.line != at.line else ""
    return mark_of(at), f"a ',' or {closing!r} is missing here{opened}"
