"""Rows of a damaged schema: another number of columns is damage, not an error."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from wscli.history.consumers import ConsumerPosition
from wscli.history.records import Cursor, GapRecord
from wscli.history.sqlite.rows import Row, gap_row, position_row, read_gap_row, read_position

POSITION = position_row("billing", ConsumerPosition(Cursor(400, 1, "k3f9"), 10.0))
GAP = gap_row(1, GapRecord(17, "outage", 1.0, 2.0, None))


@pytest.mark.parametrize(("row", "read"), [(POSITION, partial(read_position, epoch="k3f9")), (GAP, read_gap_row)])
def test_a_row_without_one_of_its_columns_is_damaged(row: Row, read: Callable[[Row], object]) -> None:
    assert read(row) is not None
    assert [read((*row[:missing], *row[missing + 1 :])) for missing in range(len(row))] == [None] * len(row)
