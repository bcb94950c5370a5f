"""The real session with an owner that carries out each action at once, and writes down what it saw."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.waiting import VirtualClock
from wscli.core.failures import Failure, FailureKind
from wscli.session import actions as act
from wscli.session.engine.session import Memory, Session
from wscli.session.plan import SessionPlan
from wscli.templates.paths import JsonPath

__all__ = ["Real", "ScriptedChannel"]


@dataclass(slots=True, eq=False)
class ScriptedChannel:
    """A channel's part."""

    name: str
    values: dict[str, Any]
    dedupe: JsonPath | None
    params: dict[str, str] = field(default_factory=dict)
    critical: bool = True
    kept: dict[str, Any] = field(default_factory=dict)
