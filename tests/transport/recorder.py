"""A listener that keeps what it is told, and lets a test wait for it."""

from __future__ import annotations

import asyncio

from wscli.core.failures import Failure

__all__ = ["Recorder"]


class Recorder:
    """Keeps batches and the end; ``received`` and ``ended`` wait for them."""

    def __init__(self) -> None:
        self.batches: list[tuple[list[bytes], bytes | None]] = []
        self.ends: list[Failure] = []
        self._changed = asyncio.Event()

    def on_batch(self, payloads: list[bytes], kinds: bytes | None) -> None:
        """Keep a batch; none may come after the end."""
        assert not self.ends, "a batch came after the end"
        assert payloads, "an empty batch came"
        assert kinds is None or (len(kinds) == len(payloads) and b"b" in kinds)
        self.batches.append((payloads, kinds))
        self._changed.set()

    def on_end(self, failure: Failure) -> None:
        self.ends.append(failure)
        self._changed.set()

    @property
    def messages(self) -> list[bytes]:
        return [payload for payloads, _ in self.batches for payload in payloads]

    @property
    def kinds(self) -> str:
        """One letter a message: ``t`` or ``b``."""
        return "".join((kinds or b"t" * len(payloads)).decode() for payloads, kinds in self.batches)

    async def received(self, count: int) -> list[bytes]:
        """Wait until that many messages are there, and give all."""
        while len(self.messages) < count:
            assert not self.ends, f"it ended after {len(self.messages)} messages: {self.ends[0]}"
            self._changed.clear()
            await self._changed.wait()
        return self.messages

    async def ended(self) -> Failure:
        """Wait for the end; a second one is a broken promise."""
        while not self.ends:
            self._changed.clear()
            await self._changed.wait()
        await asyncio.sleep(0)
        assert len(self.ends) == 1, f"it ended more than once: {self.ends}"
        return self.ends[0]
