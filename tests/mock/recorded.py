"""Recordings for tests: ``recorded(message(1), gap(), message(2.5))``."""

from __future__ import annotations

import json
import tempfile
from base64 import b64encode
from collections.abc import Iterable
from typing import Any

from tests.history.ticking import Ticking
from wscli.mock.recording import Recording

__all__ = ["Scene", "gap", "message", "recorded", "written"]

START = 1_764_000_000.0


def message(at: float = 0.0, data: str | bytes = "hello", *, channel: str = "news", **more: Any) -> dict[str, Any]:
    """A message so many seconds after the start."""
    head = {"channel": channel, "epoch": "k3f9", "seq": 1, "ts": START + at}
    if isinstance(data, bytes):
        return {**head, "type": "binary", "encoding": "base64", "data": b64encode(data).decode(), **more}
    return {**head, "type": "text", "data": data, **more}


def gap(reason: str = "outage", *, channel: str = "news") -> dict[str, Any]:
    return {"channel": channel, "type": "gap", "after": 1, "reason": reason, "start": 1.0, "end": 2.0, "missed": None}


def written(records: Iterable[dict[str, Any]]) -> bytes:
    """What `tail --json` prints of them."""
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def recorded(*records: dict[str, Any], text: bytes | None = None) -> Recording:
    """A recording that was checked; its owner closes it."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the recording closes it
    file.write(written(records) if text is None else text)
    file.flush()
    recording = Recording(file, "f.ndjson")
    try:
        recording.check()
    except BaseException:
        file.close()
        raise
    return recording


class Scene(Ticking):
    """A clock that only sleeping moves, and what happened at what time since the start."""

    def __init__(self) -> None:
        super().__init__(1000.0)
        self.seen: list[tuple[float, bytes]] = []

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    def note(self, what: bytes) -> None:
        self.seen.append((round(self.now - 1000.0, 6), what))
