"""The digests of the values that ``dedupe`` saw last: they outlive the manager where the history does."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

__all__ = ["MOST_SEEN", "SeenDigests"]

MOST_SEEN = 4096
"""Digests remembered: about a quarter of a megabyte."""


class SeenDigests:
    """The last ``most`` digests, in the order in which they were last seen; ``unwritten`` is in that order too."""

    __slots__ = ("_digests", "_most", "unwritten")

    def __init__(self, most: int = MOST_SEEN) -> None:
        self.unwritten: OrderedDict[bytes, None] | None = None
        """Those to be committed, where they are kept."""
        self._most = most
        self._digests: OrderedDict[bytes, None] = OrderedDict()

    def add(self, digest: bytes) -> bool:
        """Remember a digest; say whether it is new."""
        new = digest not in self._digests
        _add(self._digests, digest, self._most)
        if self.unwritten is not None:
            _add(self.unwritten, digest, self._most)
        return new

    def restore(self, digests: Iterable[bytes]) -> None:
        """Continue from the digests that a log holds, oldest first; the others are unwritten."""
        kept = dict.fromkeys(digests)
        later = [digest for digest in self._digests if digest not in kept]
        for digest in (*kept, *later):
            _add(self._digests, digest, self._most)
        if self.unwritten is not None:
            self.unwritten.update(dict.fromkeys(later))


def _add(digests: OrderedDict[bytes, None], digest: bytes, most: int) -> None:
    digests.pop(digest, None)
    digests[digest] = None
    if len(digests) > most:
        digests.popitem(last=False)
