"""stdin as it comes, for verbs that send it: the wait for more ends with a signal, or with the manager."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator

from wscli.cli.interrupts import woken

__all__ = ["NOT_ENTERED", "HungUp", "chunks"]

NOT_ENTERED = "the last line was not sent: Enter did not follow it"

_CHUNK = 1 << 16


class HungUp(Exception):
    """The manager went first."""


def chunks(manager: int | None = None) -> Iterator[bytes]:
    """Give what stdin has, as it comes, to its end.

    Args:
        manager: a descriptor that is readable once the manager went, and not before.

    Raises:
        HungUp: it went.
    """
    descriptor = sys.stdin.fileno()
    with woken() as wake:
        watched = [one for one in (descriptor, wake, manager) if one is not None]
        while True:
            ready, _, _ = select.select(watched, [], [])
            if wake is not None and wake in ready:
                os.read(wake, _CHUNK)
            if manager in ready:
                raise HungUp
            if descriptor in ready:
                if not (chunk := os.read(descriptor, _CHUNK)):
                    return
                yield chunk
