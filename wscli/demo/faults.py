"""What the back end was told to do wrong, and to whom: refusals, silence, unanswered upgrades."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from fnmatch import fnmatchcase

__all__ = ["TOKEN_PATH", "Denial", "Faults", "matches"]

TOKEN_PATH = "/ws-token"  # noqa: S105 - a path, no password


def matches(path: str, pattern: str | None) -> bool:
    """Say whether a path is meant: ``None`` is every WebSocket path, else a name or a glob."""
    return path != TOKEN_PATH if pattern is None else fnmatchcase(path, pattern)


@dataclass(slots=True)
class Denial:
    """A refusal: by HTTP ``status``, or, where ``close`` is given, by accepting and closing at once with that code."""

    pattern: str | None
    status: int = 503
    retry_after: str | None = None
    close: int | None = None
    left: int | None = None
    """How many more it refuses; None means until ``allow``."""
    text: str = "told to refuse"

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer."""
        return {} if self.retry_after is None else {"Retry-After": self.retry_after}


class Faults:
    """The faults that are declared now."""

    def __init__(self) -> None:
        self._denials: list[Denial] = []
        self._hung: dict[str | None, asyncio.Event] = {}

    def deny(self, denial: Denial) -> None:
        """Refuse from now on; a later denial goes before an earlier one."""
        self._denials.insert(0, denial)

    def allow(self, pattern: str | None = None) -> None:
        """End the denials of a pattern; None ends all."""
        self._denials = [denial for denial in self._denials if pattern is not None and denial.pattern != pattern]

    def take_denial(self, path: str) -> Denial | None:
        """Find the denial that is due to a request, and count it down."""
        for denial in self._denials:
            if matches(path, denial.pattern):
                if denial.left is not None:
                    denial.left -= 1
                    if not denial.left:
                        self._denials.remove(denial)
                return denial
        return None

    def hang(self, pattern: str | None) -> None:
        """Leave the upgrades of a pattern unanswered from now on."""
        self._hung.setdefault(pattern, asyncio.Event())

    def unhang(self, pattern: str | None) -> None:
        """Answer the upgrades of a pattern again, those that still wait included; None ends all."""
        for key in [key for key in self._hung if pattern is None or key == pattern]:
            self._hung.pop(key).set()

    async def answering(self, path: str) -> None:
        """Return once upgrades of this path are answered: at once, unless they hang."""
        while hung := next((event for pattern, event in self._hung.items() if matches(path, pattern)), None):
            await hung.wait()
