"""The presets: YAML of endpoint keys, read only where a file names one."""

from __future__ import annotations

from pathlib import Path

__all__ = ["preset_names", "preset_text"]

_PRESETS = Path(__file__).parent / "presets"


def preset_names() -> tuple[str, ...]:
    """Give the names of all presets, sorted."""
    return tuple(sorted(file.stem for file in _PRESETS.glob("*.yaml")))


def preset_text(name: str) -> str:
    """Give the text of a preset.

    Raises:
        KeyError: there is none of this name.
    """
    if name not in preset_names():
        raise KeyError(name)
    return (_PRESETS / f"{name}.yaml").read_text(encoding="utf-8")
