"""Shapes: mappings match as subsets, lists as prefixes, scalars by JSON equality."""

from __future__ import annotations

from typing import Any, Protocol

from wscli.templates.filters import Scope

__all__ = ["Shape"]


class Shape(Protocol):
    """A compiled shape."""

    references: frozenset[tuple[str, str]]

    def matches(self, value: Any, scope: Scope) -> bool:
        """Whether a JSON value has the shape; templates in it are filled from the scope."""
