"""Rows of a damaged schema: another number of columns is damage, not an error."""

from __future__ import annotations

import pytest

from wscli.history.consumers import ConsumerPosition
from wscli.history.records import Cursor, GapRecord
from wscli.history.sqlite.rows import gap_row, position_row, read_gap_row, read_position

POSITION = position_row("billing", ConsumerPosition(Cursor(400, 1, "k3f9"), 10.0))
GAP = gap_row(1, GapRecord(17, "outage", 1.0, 2.0, None))


@pytest.mark.parametrize("missing", range(len(POSITION)))
def test_a_consumer_without_one_of_its_columns_is_damaged(missing: int) -> None:
    assert read_position(POSITION, "k3f9") is not None
    assert read_position((*POSITION[:missing], *POSITION[missing + 1 :]), "k3f9") is None


@pytest.mark.parametrize("missing", range(len(GAP)))
def test_a_gap_without_one_of_its_columns_is_damaged(missing: int) -> None:
    assert read_gap_row(GAP) is not None
    assert read_gap_row((*GAP[:missing], *GAP[missing + 1 :])) is None
