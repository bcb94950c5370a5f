"""A channel of a client in virtual time, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wscli.core.failures import Verdict
from wscli.templates.paths import JsonPath

__all__ = ["Member", "as_json"]


@dataclass(eq=False)
class Member:
    """A channel."""

    name: str
    params: Mapping[str, str]
    values: Mapping[str, Any]
    dedupe: JsonPath | None
    critical: bool = True
    kept: dict[str, Any] = field(default_factory=dict)
    ready: bool = False
    resumed: bool = False
    verdict: Verdict | None = None
    reason: str = ""
    got: list[bytes] = field(default_factory=list)
    gaps: list[tuple[str, int | None]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    left: bool = False

    @property
    def shown(self) -> list[Any]:
        """What its readers got: as JSON where it is JSON."""
        return [as_json(one) for one in self.got]


def as_json(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return payload.decode(errors="replace")
