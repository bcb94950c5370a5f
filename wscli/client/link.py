"""One connection to a manager for asyncio, which never blocks; ``control.client`` has the blocking one."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, Self

from wscli.client.feed import MessageFeed
from wscli.client.requests import ApiRequest
from wscli.control.client import answer_timed_out, deadline_after, left_until, manager_hung_up
from wscli.control.frames import ACK, FrameReader
from wscli.control.paths import Instance
from wscli.control.protocol import AnswerReader, request_line, result_of
from wscli.control.selection import Busy, Selection, select
from wscli.control.stream import CONFIRMATION_DEADLINE, Confirmation
from wscli.errors import NoInstance

__all__ = ["AsyncManagerConnection"]

_CHUNK = 1 << 18
_AGAIN = 0.02  # seconds between two tries where the manager's queue is full: nothing tells of room in it


class AsyncManagerConnection:
    """A connection; a context manager that closes it. One task at a time may wait for it."""

    feed: MessageFeed
    """The stream, once it is listened to."""

    def __init__(self, instance: Instance, sock: socket.socket) -> None:
        self._instance = instance
        self._sock = sock
        self._answers = AnswerReader()
        self._waiting: asyncio.Future[None] | None = None

    @classmethod
    async def open(cls, selection: Selection, environ: Mapping[str, str], timeout: float | None) -> Self:
        """Connect to the instance that is meant.

        Raises:
            NoInstance: it is not running.
            UsageError: several are running and nothing says which.
            TimedOut: it takes no connection for so many seconds.
        """
        async with _deadline(timeout):
            while True:
                try:
                    return cls(*select(selection, environ, patience=0))
                except Busy:
                    await asyncio.sleep(_AGAIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._sock.fileno() < 0

    def close(self) -> None:
        """Hang up, and wake the task that waits for it."""
        if self._waiting is not None and not self._waiting.get_loop().is_closed():
            self._waiting.get_loop().remove_reader(self._sock)
            _settle(self._waiting)
        self._sock.close()

    async def request(self, one: ApiRequest) -> Any:
        """Send a request, and return the result of its answer.

        Raises:
            WscliError: what the manager answered, as the class of its exit code.
            ManagerGone: it hung up.
            TimedOut: no answer came in time.
        """
        deadline = deadline_after(one.timeout)
        await self.start(one)
        return result_of(await self.answer(left_until(deadline)))

    async def start(self, one: ApiRequest) -> bool:
        """Send a request without waiting for its answer; say whether the manager took all of it in time."""
        line = request_line(one.verb, one.args)
        try:
            async with asyncio.timeout(one.timeout):
                await asyncio.get_running_loop().sock_sendall(self._sock, line + one.payload)
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            return False  # a manager that refuses hangs up early; its answer, which says why, is still to be read
        return True

    async def answer(self, timeout: float | None) -> dict[str, Any]:
        """Read one answer.

        Raises:
            ManagerGone: the manager hung up.
            TimedOut: none came within ``timeout`` seconds.
        """
        async with _deadline(timeout):
            while (message := self._answers.next_answer()) is None:
                room = memoryview(bytearray(_CHUNK))
                count = await self._receive(room)
                if not count:
                    raise manager_hung_up(self._instance)
                self._answers.received(bytes(room[:count]))
        return message

    async def listen(self, one: ApiRequest, *, gaps: bool) -> None:
        """Ask for a stream, and begin to read it."""
        after = one.begun(await self.request(one))
        self.feed = MessageFeed(FrameReader(self._answers.rest()), gaps=gaps, after=after)

    async def receive(self) -> None:
        """Receive more of the stream; a task that is cancelled meanwhile loses nothing of it.

        Raises:
            NoInstance: the manager hung up.
        """
        count = await self._receive(self.feed.frames.space())
        if not self.closed:
            self.feed.frames.received(count)

    def acknowledge(self) -> bool:
        """Acknowledge what a consumer has taken; return False if the socket has no room for that now.

        It does nothing if the manager is gone or the link was closed.
        """
        if (position := self.feed.due()) is None:
            return True
        try:
            self._sock.send(ACK.pack(*position))  # whole or not at all: it is one piece to the kernel
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True
        self.feed.acknowledged = position
        return True

    async def acknowledged(self) -> None:
        """Acknowledge what a consumer has taken, as soon as the socket has room."""
        while True:
            if self.acknowledge():
                return
            await asyncio.sleep(_AGAIN)

    async def confirmed(self, *, done: bool) -> None:
        """Close the sending side, and wait until the position of a consumer is kept; ``done`` acknowledges all first.

        Raises:
            OutcomeUnknown: the manager ended before it confirmed, or the link was closed.
            WscliError: the position cannot be kept.
        """
        frames = self.feed.frames
        confirmation = Confirmation(frames)
        try:
            async with asyncio.timeout(CONFIRMATION_DEADLINE):
                if done:
                    await self.acknowledged()
                self._sock.shutdown(socket.SHUT_WR)
                while not confirmation.received():
                    frames.received(await self._receive(frames.space()))
        except (OSError, NoInstance):  # TimeoutError is an OSError
            raise confirmation.missing() from None

    async def _receive(self, room: memoryview) -> int:
        """Wait first, even for what is there already, so that a fast stream leaves the other tasks their turns.

        Not by ``loop.sock_recv_into``: cancelled at the wrong moment, it loses the bytes it received.
        """
        loop = asyncio.get_running_loop()
        while True:
            self._waiting = loop.create_future()
            loop.add_reader(self._sock, _settle, self._waiting)
            try:
                await self._waiting
            finally:
                self._waiting = None
                if not self.closed and not loop.is_closed():
                    loop.remove_reader(self._sock)
            try:
                return 0 if self.closed else self._sock.recv_into(room)
            except (BlockingIOError, InterruptedError):
                continue
            except ConnectionResetError:
                return 0


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


@contextlib.asynccontextmanager
async def _deadline(timeout: float | None) -> AsyncIterator[None]:
    """``asyncio.timeout`` for the manager's answers: it raises `TimedOut`."""
    try:
        async with asyncio.timeout(timeout):
            yield
    except TimeoutError:
        raise answer_timed_out() from None
