"""What ``AsyncClient.tail`` gives: `wscli.client.tail` for programs of asyncio."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Self, TypeVar, cast

from wscli.client.feed import MessageFeed
from wscli.client.link import AsyncManagerConnection
from wscli.client.messages import Gap, Message
from wscli.client.requests import ApiRequest, no_consumer
from wscli.errors import WscliError

__all__ = ["AsyncTail"]


T_co = TypeVar("T_co", covariant=True)


class AsyncTail(AsyncIterator[T_co]):
    """Messages and gaps as they come: what ``AsyncClient.tail`` gives.

    A context manager that opens and closes it; one that is merely dropped closes itself. ``aclose`` also ends the
    iteration of another task. With a consumer it acknowledges and confirms as `wscli.client.tail.Tail` does.
    """

    def __init__(
        self, connect: Callable[[float | None], Awaitable[AsyncManagerConnection]], wanted: ApiRequest, *, gaps: bool
    ) -> None:
        self._connect = connect
        self._wanted = wanted
        self._gaps = gaps
        self._link: AsyncManagerConnection | None = None
        self._feed: MessageFeed | None = None
        self._closed = False
        self._taking = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T_co:
        item = await self.next_item()
        if item is None:
            raise StopAsyncIteration
        return cast(T_co, item)

    async def __aenter__(self) -> Self:
        if not self._closed:
            await self._open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._closed or self._taking:  # another task, that takes from it, hears of its end
            self._close()
        elif kind is None:
            await self._finish(done=True)
        else:
            await self._part(done=False)

    def __del__(self) -> None:
        self._close()

    async def aclose(self) -> None:
        """Hang up; what has not been taken yet is dropped, and a consumer's last message is not acknowledged."""
        self._close()

    async def ack(self) -> None:
        """Say that everything taken so far is done, without asking for more.

        Raises:
            UsageError: the tail has no consumer.

        """
        if not self._wanted.consumes:
            raise no_consumer()
        await self._acknowledge()

    async def next_item(self) -> Message | Gap | None:
        """Give what comes next; None at the end. Cancelled, it loses nothing.

        Raises:
            OutcomeUnknown: at the end, where the manager did not confirm the position of a consumer.
            WscliError: what the stream ended with.
            RuntimeError: another task is at it.

        """
        if self._taking:
            raise RuntimeError("another task already waits for the next message of this tail")
        self._taking = True
        try:
            return await self._next_item()
        finally:
            self._taking = False

    async def _next_item(self) -> Message | Gap | None:
        if not self._closed:
            await self._open()
        if self._link is not None and self._feed is not None and self._wanted.consumes:
            self._link.acknowledge(self._feed)  # where there is no room for it, the next one says it as well
        while self._link is not None and self._feed is not None:
            try:
                item = self._feed.next_item()
                if item is None and not self._feed.ended:
                    await self._acknowledge()
                    if not self._closed:  # by another task, meanwhile
                        await self._link.receive(self._feed)
                    continue
            except Exception:
                await self._part(done=True)
                raise
            if item is None:
                await self._finish(done=True)
            return item
        return None

    async def _open(self) -> None:
        if self._link is not None:
            return
        link = await self._connect(self._wanted.timeout)
        try:
            after = self._wanted.begun(await link.request(self._wanted))
        except BaseException:
            link.close()
            raise
        self._link, self._feed = link, link.feed(gaps=self._gaps, after=after)
        if self._closed:  # by another task, meanwhile
            self._close()

    async def _acknowledge(self) -> None:
        if self._link is not None and self._feed is not None and self._wanted.consumes:
            await self._link.acknowledged(self._feed)

    async def _finish(self, *, done: bool) -> None:
        try:
            if self._link is not None and self._feed is not None and self._wanted.consumes:
                await self._link.confirmed(self._feed, done=done)
        finally:
            self._close()

    async def _part(self, *, done: bool) -> None:
        with contextlib.suppress(WscliError):  # there is an error already, and more than once is what was promised
            await self._finish(done=done)

    def _close(self) -> None:
        self._closed = True
        link, self._link = self._link, None
        if link is not None:
            link.close()
