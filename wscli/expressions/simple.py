"""Tells expressions that end soon on any text from those that may not.

jq cannot be interrupted, so that only the former are evaluated in our own process. They have paths, literals,
comparisons, ``and``, ``or``, ``//``, ``select`` and the like: nothing that repeats, or that grows with a number.
"""

import re

__all__ = ["LONGEST_TEXT", "is_simple"]

LONGEST_TEXT = 1 << 16
"""Characters of a text on which a simple expression ends soon."""
_MOST_RESULTS = 4096

_PIECE = re.compile(
    r"""\s+
    | "(?:[^"\\]|\\["\\/bfnrtu])*"  # a string without an interpolation
    | -?[0-9]+(?:\.[0-9]+)?
    | \.(?!\.)                      # but not '..'
    | \$[A-Za-z_]\w*
    | [\[\]{}():?,|]
    | == | != | <=? | >=? | //(?!=)
    | (?P<word>[A-Za-z_]\w*)
    """,
    re.VERBOSE,
)
_WORDS = frozenset(
    [
        "and", "or", "not", "select", "true", "false", "null", "empty", "has", "length", "type", "startswith",
        "endswith", "tostring", "tonumber", "ascii_downcase", "ascii_upcase",
    ]
)  # fmt: skip
_BRANCHES = frozenset(["|", "and", "or", "==", "!=", "<", "<=", ">", ">=", "//"])


def is_simple(expression: str) -> bool:
    """Whether the time and the memory of an expression are proportional to the length of any text."""
    if re.search(r"\[\s*\]", expression):  # each element
        return False
    at, before, adjacent, commas, branches = 0, "", "", 0, 0
    opened: list[str] = []
    while at < len(expression):
        found = _PIECE.match(expression, at)
        if found is None:
            return False
        piece, at = found[0], found.end()
        is_key = adjacent == "." or (opened[-1:] == ["{"] and before in {"{", ","})
        if found["word"] and piece not in _WORDS and not is_key:
            return False
        if piece in {"(", "[", "{"}:
            opened.append(piece)
        elif piece in {")", "]", "}"} and opened:
            opened.pop()
        commas += piece == ","
        branches += piece in _BRANCHES
        adjacent = piece
        if not piece.isspace():
            before = piece
    return bool((commas + 1) ** (branches + 1) <= _MOST_RESULTS)
