"""Expand ``${VAR}``, ``${VAR:-default}``, ``${VAR:?message}`` and ``$$`` in values.

Expanded parts are redacted wherever the value is printed, and are text where a plain scalar could be a JSON number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from wscli.config.reading.located import Located
from wscli.config.reading.nodes import Leaf, Node
from wscli.config.reading.problems import FileProblems
from wscli.templates import NAMESPACES
from wscli.values import Scalar

__all__ = ["VARIABLE", "expand", "expand_tree"]

VARIABLE = re.compile(r"\$\$|\$\{[^}]*\}?")
"""A ``$$``, or a variable to its brace or the end of the text."""
_BODY = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::(?P<how>[-?])(?P<rest>.*))?", re.DOTALL)
_ELSEWHERE = re.compile(rf"({'|'.join(NAMESPACES)})[.:].*|msg", re.DOTALL)
_NAMED = re.compile(r"\$(?:\$|\{(?P<name>[A-Za-z_][A-Za-z0-9_]*))")


def expand(text: Scalar, environ: Mapping[str, str]) -> tuple[Scalar, list[str]]:
    """Expand one scalar; give it with its problems."""
    values = {written: _value(written, environ) for written in VARIABLE.findall(text)}
    if not values:
        return text, []
    full = VARIABLE.sub(lambda found: values[found.group()][0], text)
    redacted = VARIABLE.sub(lambda found: "$" if found.group() == "$$" else "***", text)
    plain = text.plain and values.keys() == {"$$"}
    return Scalar(full, plain=plain, redacted=redacted), [wrong for _, wrong in values.values() if wrong]


def _value(written: str, environ: Mapping[str, str]) -> tuple[str, str | None]:
    """Give the value of ``$$`` or ``${...}``, and a problem if there is one."""
    if written == "$$":
        return "$", None
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


def expand_tree(root: Node, environ: Mapping[str, str], problems: FileProblems) -> dict[str, str]:
    """Expand every value of a tree in place; give the value of each variable that it names, empty where not set."""
    used: dict[str, str] = {}
    seen: set[int] = set()
    for located in Located(root).leaves():
        leaf = located.node
        if not isinstance(leaf, Leaf) or id(leaf) in seen:  # aliases share a node
            continue
        seen.add(id(leaf))
        names = {found["name"] for found in _NAMED.finditer(leaf.value) if found["name"]}
        used |= {name: environ.get(name, "") for name in names}
        leaf.value, wrong = expand(leaf.value, environ)
        for text in wrong:
            problems.add(leaf.mark, located.path, text)
    return used
