"""The syntax of references in a message that expects a reply; both sides parse it, the manager fills them."""

import re

__all__ = ["Ref", "PLACEHOLDER", "refers"]

Ref = int | str
"""What a reference becomes."""

PLACEHOLDER = re.compile(r"\{(?P<escape>\{)?ref\.(?P<kind>[A-Za-z0-9_-]+)(?::[A-Za-z0-9_]*)?\}")
"""``{ref.int}``, with a filter or without; behind one more brace it is text. Every other brace is text anyway."""


def refers(text: str) -> bool:
    """Say whether a message has a reference in it."""
    return any(not found["escape"] for found in PLACEHOLDER.finditer(text))
