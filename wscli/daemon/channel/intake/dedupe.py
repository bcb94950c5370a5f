"""Duplicates, told by a value in each message: a server may send one over both connections of a rotation."""

from __future__ import annotations

import json
from hashlib import blake2b

from wscli.daemon.channel.intake.messages import Messages
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

    def fresh(self, payloads: list[bytes], kinds: bytes | None) -> list[bytes]:
        """Give the new ones of a batch; ``kinds`` as in a history's batch."""
        return [payloads[at] for at in self.new(Messages(payloads, kinds))]

    def new(self, messages: Messages) -> list[int]:
        """Give the indexes of the new ones."""
        payloads, kinds, keys, *_ = messages
        if keys is not None:
            return [at for at, key in enumerate(keys) if key is None or self._is_new(key)]
        return [
            at
            for at, payload in enumerate(payloads)
            if (kinds is not None and kinds[at] != ord("t"))
            or (key := self._key_of(payload)) is None
            or self._is_new(key)
        ]

    def _key_of(self, payload: bytes) -> str | None:
        try:
            value = self.path.get(decode_json(payload))
            return None if any(value is none for none in self._none) else json.dumps(value, sort_keys=True)
        except ValueError:  # not JSON, or of an absurd depth or length
            return None

    def _is_new(self, key: str) -> bool:
        return self._seen.add(blake2b(key.encode(), digest_size=16, key=self._key).digest())
