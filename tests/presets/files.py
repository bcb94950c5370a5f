"""Files that declare one endpoint of a preset; JSON, which YAML reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

__all__ = ["preset_file"]


def preset_file(
    preset: str, channels: Mapping[str, Any], *, url: str | None = None, tokens: tuple[str, ...] = (), **endpoint: Any
) -> str:
    """Write a file with one endpoint, and channels with these values of ``with``."""
    declared: dict[str, Any] = {"preset": preset, **({} if url is None else {"url": url}), **endpoint}
    lines = {name: {"endpoint": "api", **({"with": values} if values else {})} for name, values in channels.items()}
    file: dict[str, Any] = {"version": 1, "name": "presets", "endpoints": {"api": declared}, "channels": lines}
    if tokens:
        file["tokens"] = {name: {"value": "good"} for name in tokens}
    return json.dumps(file, indent=1)
