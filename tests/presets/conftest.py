from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.presets.client import Client


@pytest.fixture(params=[True, False], ids=["one read", "a read each"])
def client(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Client]:
    """Make a client of a file and a server; all that the server says in one turn is one read, or each is one."""

    def make(text: str, server: Any) -> Client:
        made = Client(text, server, tmp_path)
        made.together = request.param
        return made

    return make
