"""``${VAR}``, ``${VAR:-default}``, ``${VAR:?message}`` and ``$$``, in values only.

What was expanded is redacted wherever the value is shown, and is text wherever a plain scalar could be a JSON number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from wscli.config.reading.nodes import Branch, Items, Leaf, Node, Path
from wscli.config.reading.problems import FileProblems
from wscli.templates import NAMESPACES
from wscli.values import Scalar

__all__ = ["expand", "expand_tree"]

_SIGN = re.compile(r"\$[${]")
_BODY = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?P<how>[-?])(?P<rest>.*))?", re.DOTALL)
_ELSEWHERE = re.compile(rf"({'|'.join(NAMESPACES)})[.:].*|msg", re.DOTALL)
_NAMED = re.compile(r"\$(?:\$|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*))")
REDACTED = "***"


def expand(text: Scalar, environ: Mapping[str, str]) -> tuple[Scalar, list[str]]:
    """Fill one scalar; with what is wrong with it, if anything is."""
    found = _SIGN.search(text)
    if found is None:
        return text, []
    full: list[str] = []
    redacted: list[str] = []
    wrong: list[str] = []
    from_environment, at = False, 0
    while found is not None:
        value, shown, end = "$", "$", found.end()
        if found.group() == "${":
            end = text.find("}", found.end()) + 1 or len(text)
            value, problem = _value(text[found.start() : end], environ)
            shown, from_environment = REDACTED, True
            wrong += [problem] if problem else []
        for pieces, piece in ((full, value), (redacted, shown)):
            pieces += [text[at : found.start()], piece]
        at, found = end, _SIGN.search(text, end)
    plain = text.plain and not from_environment
    return Scalar("".join(full) + text[at:], plain=plain, redacted="".join(redacted) + text[at:]), wrong


def _value(written: str, environ: Mapping[str, str]) -> tuple[str, str | None]:
    """Give what ``${...}`` stands for, and what is wrong with it."""
    if not written.endswith("}"):
        return "", "'${' without its '}'; '$$' writes a '$'"
    body = written[2:-1]
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


def expand_tree(node: Node, environ: Mapping[str, str], problems: FileProblems, path: Path = ()) -> frozenset[str]:
    """Fill every value of a tree in place, and give what variables held; a node that aliases share is filled once."""
    expander = _Expander(environ, problems)
    expander.visit(node, path)
    return frozenset(expander.used)


class _Expander:
    def __init__(self, environ: Mapping[str, str], problems: FileProblems) -> None:
        self._environ = environ
        self._problems = problems
        self._seen: set[int] = set()
        self.used: set[str] = set()

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
        names = {found["name"] for found in _NAMED.finditer(leaf.value) if found["name"]}
        self.used |= {self._environ[name] for name in names if self._environ.get(name)}
        leaf.value, wrong = expand(leaf.value, self._environ)
        for text in wrong:
            self._problems.add(leaf.mark, path, text)
