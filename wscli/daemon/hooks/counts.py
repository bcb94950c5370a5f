"""What is counted of a hook."""

from __future__ import annotations

from dataclasses import asdict, dataclass

__all__ = ["Counts"]


@dataclass(slots=True)
class Counts:
    """A hook's counters since it was declared; all but ``running`` only grow."""

    runs: int = 0
    """Begun, whatever came of them."""
    failures: int = 0
    """Runs that failed, and messages that the expression failed on."""
    lagged: int = 0
    """Events that it never saw, being too slow."""
    not_json: int = 0
    """Messages that no expression can be asked of."""
    running: int = 0
    """Right now."""

    def as_dict(self) -> dict[str, int]:
        """The counters as ``stats --json`` names them."""
        return asdict(self)
