"""The fixtures of every end-to-end test: the command, a back end, and verbs run in this process."""

from __future__ import annotations

from tests.backend.process import backend
from tests.inline import here
from tests.processes import wscli

__all__ = ["backend", "here", "wscli"]
