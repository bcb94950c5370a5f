"""Messages on their way into a history, with what a session says of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["Messages"]


class Messages(NamedTuple):
    """Messages that arrived together."""

    payloads: list[bytes]
    kinds: bytes | None
    """As in a history's batch."""
    keys: Sequence[str | None] | None = None
    """What ``dedupe`` compares; None: each message's own value. A message without a key is new."""
    kept: Mapping[str, Any] | None = None
    """What the session keeps once they are committed; None: as it was."""
    acks: Sequence[tuple[int, int]] = ()
    """The index of each message with an acknowledgement, and the number of that for ``logged``."""
    logged: Callable[[int], None] | None = None
    gap: tuple[str, int | None, float] | None = None
    """A gap after them: its reason, the number of missed messages, and its time by the wall clock."""

    def only(self, indexes: Sequence[int]) -> Messages:
        """Give those with these indexes; the acknowledgements of the others are due now."""
        if len(indexes) == len(self.payloads):
            return self
        moved = {before: after for after, before in enumerate(indexes)}
        for index, number in self.acks:
            if index not in moved and self.logged is not None:
                self.logged(number)
        return self._replace(
            payloads=[self.payloads[index] for index in indexes],
            kinds=None if self.kinds is None else bytes(self.kinds[index] for index in indexes),
            keys=None if self.keys is None else [self.keys[index] for index in indexes],
            acks=tuple((moved[index], number) for index, number in self.acks if index in moved),
        )
