"""The fixture of a served manager, for every test of the control socket."""

from __future__ import annotations

from tests.daemon.served import served

__all__ = ["served"]
