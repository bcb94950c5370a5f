"""What a back end can be told to do, the same by Python and over HTTP."""

from __future__ import annotations

import asyncio
import math
from typing import Any

from wscli.demo.app import Backend
from wscli.demo.faults import Denial

__all__ = ["Controls"]

_REASON = 123
"""Bytes of a close reason at most: a control frame carries 125, two of them the code (RFC 6455, 5.5)."""


class Controls:
    """Orders to a back end. ``path`` is a path or a glob (``/ws/consultations/*``); None means every WebSocket path."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    async def kick(
        self, path: str | None = None, *, code: int = 1001, reason: str = "", abort: bool = False
    ) -> dict[str, Any]:
        """Close connections with a code and a reason, or drop them without a close frame (the peer sees 1006)."""
        if not 0 <= code <= 65535:
            raise ValueError(f"{code} is not a close code; it takes 16 bits")
        if len(reason.encode()) > _REASON:
            raise ValueError(f"the reason is longer than {_REASON} bytes")
        found = self._backend.clients.at(path)
        if abort:
            for client in found:
                client.abort()
            await asyncio.gather(*(client.ended() for client in found))
        else:
            await asyncio.gather(*(client.close(code, reason) for client in found))
        return {"kicked": len(found)}

    async def deny(
        self,
        path: str | None = None,
        *,
        status: int = 503,
        retry_after: float | str | None = None,
        close: int | None = None,
        count: int | None = None,
    ) -> dict[str, Any]:
        """Refuse the next ``count`` requests, or all until ``allow``.

        The answer is an HTTP ``status``, with ``retry_after`` in seconds or as an HTTP date; with ``close`` the upgrade
        is accepted and the connection closed at once with that code. The path ``/ws-token`` refuses tokens.
        """
        if count is not None and count < 1:
            raise ValueError(f"{count} is not a number of requests to refuse")
        after = str(math.ceil(retry_after)) if isinstance(retry_after, (int, float)) else retry_after
        self._backend.faults.deny(Denial(path, status, after, close, count))
        return {}

    async def allow(self, path: str | None = None) -> dict[str, Any]:
        """End the denials of a path as it was given; None ends all."""
        self._backend.faults.allow(path)
        return {}

    async def silence(self, path: str | None = None, *, deaf: bool = False, upgrades: bool = False) -> dict[str, Any]:
        """Answer no ping and send nothing, with the TCP connections open.

        ``deaf`` also stops reading, so that the peer's buffers fill and its end goes unnoticed. ``upgrades`` leaves
        new requests of the path unanswered as well, ``/ws-token`` included where it is named.
        """
        found = self._backend.clients.at(path)
        for client in found:
            client.mute(deaf=deaf)
        if upgrades:
            self._backend.faults.hang(path)
        return {"silent": len(found)}

    async def speak(self, path: str | None = None) -> dict[str, Any]:
        """End a silence."""
        self._backend.faults.unhang(path)
        for client in self._backend.clients.at(path):
            client.unmute()
        return {}

    async def revoke(self, *, close: bool = True) -> dict[str, Any]:
        """Make every token invalid, and close the connections with 4401 unless ``close`` is false."""
        revoked = self._backend.desk.revoke_all()
        kicked = await self.kick(code=4401, reason="the token was revoked") if close else {"kicked": 0}
        return {"revoked": revoked, **kicked}

    async def blast(self, path: str | None = None, *, count: int = 1000, size: int = 200) -> dict[str, Any]:
        """Send ``count`` numbered messages of ``size`` bytes to each, as fast as each takes them; return once sent."""
        found = self._backend.clients.at(path)
        return {"sent": sum(await asyncio.gather(*(client.blast(count, size) for client in found)))}

    async def say(self, message: str | bytes, path: str | None = None) -> dict[str, Any]:
        """Send one message to everyone."""
        told = self._backend.clients.push(path, message)
        await asyncio.sleep(0)  # a loop of these lets the connections write
        return {"told": told}

    async def notify(self, count: int = 1) -> dict[str, Any]:
        """Send the next notifications at once; ``last`` is the number of the last."""
        last = None
        for _ in range(count):
            last = self._backend.notifications.notify()
            await asyncio.sleep(0)
        return {"last": last}

    async def reset_counters(self) -> dict[str, Any]:
        """Start counting anew."""
        self._backend.counters.reset()
        return {}

    async def stats(self) -> dict[str, Any]:
        """Give all figures."""
        desk = self._backend.desk
        return {**self._backend.counters.as_dict(), "tokens": {"requests": desk.requests, "issued": desk.issued}}
