"""Duplicates, told by a value in each message: a server may send one over both connections of a rotation."""

from __future__ import annotations

import json
from collections import OrderedDict
from hashlib import blake2b

from wscli.templates.paths import ABSENT, JsonPath

__all__ = ["Dedupe"]

WINDOW = 4096
"""Values remembered, as digests: about a quarter of a megabyte whatever their size."""


class Dedupe:
    """Drops the JSON text messages whose value at a path is among the last ones seen; all other messages pass.

    With ``null_passes``, messages with null there pass as well.
    """

    def __init__(self, path: JsonPath, *, window: int = WINDOW, null_passes: bool = False) -> None:
        self.path = path
        self._window = window
        self._none = (ABSENT, None) if null_passes else (ABSENT,)
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def fresh(self, payloads: list[bytes], kinds: bytes | None) -> tuple[list[bytes], bytes | None, int]:
        """Give the new ones of a batch, their kinds, and how many were dropped; ``kinds`` as in a history's batch."""
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
        except (ValueError, RecursionError):  # not JSON, or of an absurd depth or length
            return True
        digest = blake2b(text.encode(), digest_size=16).digest()
        if digest in self._seen:
            self._seen.move_to_end(digest)
            return False
        self._seen[digest] = None
        if len(self._seen) > self._window:
            self._seen.popitem(last=False)
        return True
