"""A reader on the control socket: the fan-out of histories, as frames, to one client that only listens."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from wscli.clock import Clock
from wscli.control.frames import End
from wscli.control.protocol import manager_stopped
from wscli.daemon.channel.channel import Channel
from wscli.daemon.fanout.socket_writer import SocketWriter, hear
from wscli.daemon.fanout.sources import HistorySource, Merger, Options

__all__ = ["Reader", "reading"]

_STOPPED = manager_stopped()
_GOING = End(_STOPPED.exit_code, _STOPPED.message, _STOPPED.hint)


@contextmanager
def reading(channel: Channel, *, follow: bool) -> Iterator[None]:
    """Count as a reader; one that follows holds the channel in use."""
    with channel.use() if follow else nullcontext():
        channel.readers += 1
        try:
            yield
        finally:
            channel.readers -= 1


class Reader:
    """Sends sources to a non-blocking socket until the end is sent, the client is gone, or ``run`` is cancelled."""

    def __init__(
        self, sock: socket.socket, sources: Sequence[HistorySource], options: Options, *, clock: Clock | None = None
    ) -> None:
        self._sock = sock
        self._merger = Merger(sources, options)
        self._writer = SocketWriter(sock, self._merger, clock=clock)

    async def run(self) -> None:
        """Send; return once the end frame is sent or the client has hung up.

        If it is cancelled, the client is told that the manager stops, as far as the socket takes that at once.
        """
        loop = asyncio.get_running_loop()
        loop.add_reader(self._sock, self._hear)
        try:
            await self.serve()
        except asyncio.CancelledError:
            self._say_goodbye()
            raise
        finally:
            loop.remove_reader(self._sock)

    async def serve(self) -> None:
        """Send until the end, while ``run`` hears the client."""
        await self._writer.run()

    def heard(self, data: bytes) -> None:
        """Take data from the client; ignored here."""

    def hung_up(self) -> None:
        """Note that the client is gone, or sends nothing more."""
        self._writer.end()

    def finish(self, end: End) -> None:
        """Send everything that has arrived so far, then the end."""
        self._merger.finish(end)
        self._writer.wake()

    def tell(self, state: dict[str, Any]) -> None:
        """Send the frame of a state, between two batches."""
        self._merger.tell(state)
        self._writer.wake()

    def _hear(self) -> None:
        """Read what the client sent, or notice that it hung up."""
        data = hear(self._sock, 1 << 12)
        if data:
            self.heard(data)
        elif data is not None:
            asyncio.get_running_loop().remove_reader(self._sock)  # its end would be told again and again
            self.hung_up()

    def _say_goodbye(self) -> None:
        self._merger.sources = ()
        self._merger.finish(_GOING)
        self._writer.last_words(self._merger.take())
