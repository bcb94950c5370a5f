"""The pings of one connection that wait for their pongs."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from wscli.errors import NotSent

__all__ = ["Pings"]

_ids = itertools.count(1)


class Pings:
    """Sends pings, and measures the time until their pongs."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[bytes, asyncio.Future[float]] = {}

    async def ping(self, write: Callable[[bytes], None]) -> float:
        """Have a ping with a payload of its own written, wait for its pong, and return the seconds between.

        Raises:
            NotSent: the connection ended before.
        """
        loop = asyncio.get_running_loop()
        payload = next(_ids).to_bytes(8, "big")
        began = loop.time()
        pong: asyncio.Future[float] = loop.create_future()
        self._waiting[payload] = pong
        try:
            write(payload)
            return await pong - began
        finally:
            self._waiting.pop(payload, None)

    def heard(self, payload: bytes) -> None:
        """A pong answers its ping and all before it (RFC 6455, section 5.5.3)."""
        if payload not in self._waiting:
            return
        now = asyncio.get_running_loop().time()
        for earlier, ping in self._waiting.items():
            if not ping.done():
                ping.set_result(now)
            if earlier == payload:
                return

    def end(self) -> None:
        """Fail those that wait: the connection ends."""
        for ping in self._waiting.values():
            if not ping.done():
                ping.set_exception(NotSent("the connection ended before the pong arrived"))
