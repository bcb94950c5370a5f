"""What is wrong beside the states of channels: a port that is taken, a hook that fails.

``status`` shows each until it is mended.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

__all__ = ["Problems"]

logger = logging.getLogger("wscli.manager")


class Problems:
    """The present problems, by their keys, such as ``gateway 127.0.0.1:8787`` or ``on_message``.

    Args:
        prefix: what the log puts before them: a channel's name, or nothing.
        on_change: called after each change.
    """

    def __init__(self, prefix: str = "", on_change: Callable[[], None] = lambda: None) -> None:
        self._prefix = f"{prefix}: " if prefix else ""
        self._on_change = on_change
        self._texts: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def texts(self) -> list[str]:
        """Give each as one line: ``gateway 127.0.0.1:8787: the address is in use; tries again in 5s``."""
        return [f"{key}: {text}" for key, text in self._texts.items()]

    def state(self, key: str, text: str, *, log: bool = True) -> None:
        """State a problem in place of the last one of that key; an unchanged text is not logged again."""
        if self._texts.get(key) != text:
            self._texts[key] = text
            if log:
                logger.warning("%s%s: %s", self._prefix, key, text, extra={"event": "problem"})
            self._on_change()

    def report(self, key: str, text: str | None) -> None:
        """State a problem, or with None forget it."""
        if text is None:
            self.mended(key)
        else:
            self.state(key, text)

    def mended(self, key: str, *, log: bool = True) -> None:
        """Forget a problem."""
        if self._texts.pop(key, None) is not None:
            if log:
                logger.info("%s%s: mended", self._prefix, key, extra={"event": "mended"})
            self._on_change()
