"""The manager that the pages tell of."""

from __future__ import annotations

from tests.daemon.conftest import it

__all__ = ["it"]
