"""Messages that came before, told by a value in them: what a server sends over both connections of a rotation."""

from __future__ import annotations

import json
from collections import OrderedDict
from hashlib import blake2b

from wscli.templates.paths import ABSENT, JsonPath

__all__ = ["Dedupe"]

WINDOW = 4096
"""So many values are remembered, as digests: whatever their size, a quarter of a megabyte or so."""


class Dedupe:
    """Drops the JSON text messages whose value at a path is among the last ones seen; all other messages pass.

    ``null_passes`` says that null is no value: messages that have it there pass as well.
    """

    def __init__(self, path: JsonPath, *, window: int = WINDOW, null_passes: bool = False) -> None:
        self.path = path
        self._window = window
        self._none = (ABSENT, None) if null_passes else (ABSENT,)
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def fresh(self, payloads: list[bytes], kinds: bytes | None) -> tuple[list[bytes], bytes | None, int]:
        """Give what is new of messages that came together, and how many were dropped; ``kinds`` as a history has it."""
        keep = [
            at
            for at, payload in enumerate(payloads)
            if (kinds is not None and kinds[at] != ord("t")) or self._is_new(payload)
        ]
        dropped = len(payloads) - len(keep)
        if not dropped:
            return payloads, kinds, 0
        their_kinds = None if kinds is None else bytes(kinds[at] for at in keep)
        return [payloads[at] for at in keep], their_kinds, dropped

    def _is_new(self, payload: bytes) -> bool:
        try:
            value = self.path.get(json.loads(payload))
            if any(value is none for none in self._none):
                return True
            text = json.dumps(value, sort_keys=True)
        except (ValueError, RecursionError):  # no JSON, or of a depth or a length that nobody means
            return True
        digest = blake2b(text.encode(), digest_size=16).digest()
        if digest in self._seen:
            self._seen.move_to_end(digest)
            return False
        self._seen[digest] = None
        if len(self._seen) > self._window:
            self._seen.popitem(last=False)
        return True
