"""Duplicates, told by a value in each message: a server may send one over both connections of a rotation."""

from __future__ import annotations

import json
from hashlib import blake2b

from wscli.history.seen import SeenDigests
from wscli.jsontext import decode_json
from wscli.templates.paths import ABSENT, JsonPath

__all__ = ["Dedupe"]


class Dedupe:
    """Drops the JSON text messages whose value at a path is among the last ones seen; all other messages pass.

    With ``null_passes``, messages with null there pass as well. ``seen`` may hold the values of other paths too.
    """

    def __init__(self, path: JsonPath, seen: SeenDigests, *, null_passes: bool = False) -> None:
        self.path = path
        self._none = (ABSENT, None) if null_passes else (ABSENT,)
        self._seen = seen
        self._key = blake2b(path.source.encode(), digest_size=16).digest()

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
            value = self.path.get(decode_json(payload))
            if any(value is none for none in self._none):
                return True
            text = json.dumps(value, sort_keys=True)
        except ValueError:  # not JSON, or of an absurd depth or length
            return True
        return self._seen.add(blake2b(text.encode(), digest_size=16, key=self._key).digest())
