"""Shapes: mappings match as subsets, lists as prefixes, scalars by JSON equality."""

from __future__ import annotations

from typing import Any, Protocol

from wscli.templates.filters import Scope

__all__ = ["Shape"]


class Shape(Protocol):
    """A compiled shape."""

    references: frozenset[tuple[str, str]]
    """Namespace and name of each placeholder."""
    leaves: tuple[tuple[tuple[str | int, ...], str, str], ...]
    """Each leaf that is one placeholder without filter and default: its steps as of a path, namespace and name."""

    def matches(self, value: Any, scope: Scope) -> bool:
        """Whether a JSON value, or ``ABSENT``, has the shape; templates in it are filled from the scope.

        A template that cannot be filled matches nothing. In a scope ``msg`` is the whole message.
        """
