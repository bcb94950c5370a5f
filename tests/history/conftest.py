"""What tests of histories share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.history.ticking import Ticking


@pytest.fixture
def clock() -> Ticking:
    return Ticking()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app" / "news.db"


@pytest.fixture
def _quick_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wscli.history.log_writer.RETRY", 0.01)
