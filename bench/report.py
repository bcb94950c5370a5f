"""Plain tables."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["table"]


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows; the first column to the left, the others to the right."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]

    def line(row: Sequence[str]) -> str:
        first, *rest = (cell.ljust(width) if not column else cell.rjust(width) for column, (cell, width) in cells(row))
        return "  ".join((first, *rest)).rstrip()

    def cells(row: Sequence[str]) -> enumerate[tuple[str, int]]:
        return enumerate(zip(row, widths, strict=True))

    return "\n".join([title, line(head), line(["-" * width for width in widths]), *(line(row) for row in rows), ""])
