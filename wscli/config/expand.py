"""``${VAR}``, ``${VAR:-default}``, ``${VAR:?message}`` and ``$$``, in values only.

What was expanded is redacted wherever the value is shown, and is text wherever a plain scalar could be a JSON number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from wscli.config.nodes import Branch, Items, Leaf, Node, Path
from wscli.config.problems import Problems
from wscli.templates import NAMESPACES
from wscli.values import Scalar

__all__ = ["expand", "expand_tree"]

_PIECE = re.compile(r"\$\$|\$\{(?P<body>[^}]*)\}|\$\{")
_BODY = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?P<how>[-?])(?P<rest>.*))?", re.DOTALL)
_ELSEWHERE = re.compile(rf"({'|'.join(NAMESPACES)})[.:].*|msg", re.DOTALL)
REDACTED = "***"


def expand(text: Scalar, environ: Mapping[str, str]) -> tuple[Scalar, list[str]]:
    """Fill one scalar; with what is wrong with it, if anything is."""
    if "$" not in text:
        return text, []
    full, redacted, wrong, at = "", "", [], 0
    for found in _PIECE.finditer(text):
        literal = text[at : found.start()]
        at = found.end()
        if found.group() == "$$":
            full, redacted = full + literal + "$", redacted + literal + "$"
            continue
        value, problem = _value(found, environ)
        if problem:
            wrong.append(problem)
        full, redacted = full + literal + value, redacted + literal + REDACTED
    if redacted == "" and at == 0:
        return text, []
    tail = text[at:]
    from_environment = REDACTED in redacted
    return Scalar(full + tail, plain=text.plain and not from_environment, redacted=redacted + tail), wrong


def _value(found: re.Match[str], environ: Mapping[str, str]) -> tuple[str, str | None]:
    body = found["body"]
    if body is None:
        return "", "'${' without its '}'; '$$' writes a '$'"
    if "${" in body:
        return "", "'${' within '${...}'; a default cannot hold another"
    parts = _BODY.fullmatch(body)
    if parts is None:
        return "", _misspelt(body)
    name, how, rest = parts["name"], parts["how"], parts["rest"] or ""
    value = environ.get(name)
    if how and not value:
        if how == "-":
            return rest.replace("$$", "$"), None
        return "", f"${{{name}}} is not set{f': {rest}' if rest else ''}"
    if value is None:
        return "", f"${{{name}}} is not set, and has no default; set it, or write ${{{name}:-default}}"
    try:
        value.encode()
    except UnicodeEncodeError:  # bytes that the interpreter could not decode
        return "", f"${{{name}}} is not valid UTF-8"
    return value, None


def _misspelt(body: str) -> str:
    if _ELSEWHERE.fullmatch(body):
        return f"'${{{body}}}' is not of the environment; braces alone are meant: '{{{body}}}'"
    if "-" in body or "?" in body:
        name = re.split("[-?]", body)[0].rstrip(":")
        return f"'${{{body}}}' cannot be read; write ${{{name or 'VAR'}:-default}} or ${{{name or 'VAR'}:?message}}"
    return f"'${{{body}}}' names no variable; write ${{VAR}}, or '$$' for a '$'"


def expand_tree(node: Node, environ: Mapping[str, str], problems: Problems, path: Path = ()) -> None:
    """Fill every value of a tree in place; a node that aliases share is filled once."""
    _Expander(environ, problems).visit(node, path)


class _Expander:
    def __init__(self, environ: Mapping[str, str], problems: Problems) -> None:
        self._environ = environ
        self._problems = problems
        self._seen: set[int] = set()

    def visit(self, node: Node, path: Path) -> None:
        if id(node) in self._seen:
            return
        self._seen.add(id(node))
        if isinstance(node, Branch):
            for key, entry in node.entries.items():
                self.visit(entry.value, (*path, key))
        elif isinstance(node, Items):
            for place, item in enumerate(node.items):
                self.visit(item, (*path, place))
        else:
            self._fill(node, path)

    def _fill(self, leaf: Leaf, path: Path) -> None:
        leaf.value, wrong = expand(leaf.value, self._environ)
        for text in wrong:
            self._problems.add(leaf.mark, path, text)
