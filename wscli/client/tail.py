"""What ``Client.tail`` gives: messages and gaps as they come, and the position of a consumer that moves with them."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from threading import Event
from types import TracebackType
from typing import Self, TypeVar, cast

from wscli.client.feed import MessageFeed
from wscli.client.messages import Gap, Message
from wscli.client.requests import no_consumer
from wscli.control.stream import CONFIRMATION_DEADLINE, FrameSocket
from wscli.errors import WscliError

__all__ = ["Tail"]


T_co = TypeVar("T_co", covariant=True)


class Tail(Iterator[T_co]):
    """Messages and gaps as they come: what ``Client.tail`` gives.

    A context manager that closes it; one that is merely dropped closes itself. Another thread may close it as well,
    which ends the iteration.

    With a consumer, asking for the next message acknowledges those before it, and so does leaving ``with`` without an
    error. An error that leaves it does not acknowledge the last message, which is delivered again. In both cases it
    waits for the manager's confirmation.
    """

    def __init__(self, frames: FrameSocket, *, gaps: bool, after: int | None) -> None:
        self._frames = frames
        self._sock = frames.sock
        self._feed = MessageFeed(frames, gaps=gaps, after=after)
        self._closed = Event()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T_co:
        item = self.next_item()
        if item is None:
            raise StopIteration
        return cast(T_co, item)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._closed.is_set():
            return
        if kind is None:
            self._acknowledge()
            self._finish()
        else:
            self._part()

    def __del__(self) -> None:
        self._sock.close()

    def close(self) -> None:
        """Hang up; what has not been taken yet is dropped, and a consumer's last message is not acknowledged."""
        self._closed.set()
        with contextlib.suppress(OSError):  # that it is closed already
            self._sock.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits for it
        self._sock.close()

    def ack(self) -> None:
        """Acknowledge everything taken so far, without asking for more.

        Raises:
            UsageError: the tail has no consumer.
        """
        if not self._feed.consumes:
            raise no_consumer()
        self._acknowledge()

    def next_item(self, deadline: float | None = None) -> Message | Gap | None:
        """Return the next message or gap; None at the end.

        Args:
            deadline: until when to wait, by ``time.monotonic``.

        Raises:
            TimeoutError: nothing came until then; more may come.
            OutcomeUnknown: at the end, where the manager did not confirm the position of a consumer.
            WscliError: what the stream ended with.
        """
        self._acknowledge()
        while not self._closed.is_set():
            try:
                item = self._feed.next_item()
                if item is None and not self._feed.ended:
                    self._receive(deadline)
                    continue
            except TimeoutError:
                raise
            except Exception:
                if self._closed.is_set():  # by another thread, meanwhile
                    break
                self._part()
                raise
            if item is None:
                self._acknowledge()
                self._finish()
            return item
        return None

    def _receive(self, deadline: float | None) -> None:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        self._frames.receive()

    def _acknowledge(self) -> None:
        if self._closed.is_set() or (position := self._feed.due()) is None:
            return
        with contextlib.suppress(OSError):  # no room, or closed by another thread: it is sent later, or never
            self._sock.settimeout(CONFIRMATION_DEADLINE)
            self._frames.acknowledge(*position)
            self._feed.acknowledged = position

    def _finish(self) -> None:
        try:
            if self._feed.consumes:
                self._frames.confirm()
        finally:
            self.close()

    def _part(self) -> None:
        with contextlib.suppress(WscliError):  # there is an error already, and delivery is at least once
            self._finish()
