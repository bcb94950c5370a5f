"""What a step does and expects, in a few words without secrets: for ``status`` and ``doctor``."""

from __future__ import annotations

import re

from wscli.config.reading.located import Located
from wscli.config.reading.nodes import Branch, Items

__all__ = ["expected_words", "sent_words"]

_NAMING = ("type", "op", "event", "method", "cmd", "command", "action", "action_type", "msg_type")
"""Keys whose value names a message."""
_LONGEST = 80
_WORD = re.compile(r"[A-Za-z0-9_.:-]{1,24}(?=[\s{\[(,]|$)")


def sent_words(located: Located) -> str:
    """Name a message: ``connection_init`` or ``op 2``; ``a message`` where nothing names it."""
    inner = located.get("binary") or located
    if inner.text is not None:
        found = _WORD.match(inner.text.redacted)
        return found.group() if found and inner.text.redacted == inner.text else "a message"
    for key in _NAMING:
        value = inner.get(key)
        if value is not None and value.text and value.text.redacted == value.text and "{" not in value.text:
            word = str(value.text)[:24]
            return word if not word.isdigit() else f"{key} {word}"
    return "a message"


def expected_words(*shapes: Located) -> str:
    """Write a shape, or alternatives, in one line, such as ``{type: connection_ack}``."""
    text = " or ".join(map(_flow, shapes))
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _flow(located: Located) -> str:
    if isinstance(located.node, Branch):
        return "{" + ", ".join(f"{key}: {_flow(value)}" for key, value in located.entries()) + "}"
    if isinstance(located.node, Items):
        return "[" + ", ".join(map(_flow, located.items())) + "]"
    return located.text.redacted if located.text is not None else ""
