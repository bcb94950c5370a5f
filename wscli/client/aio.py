"""``wscli.AsyncClient``: what the commands do, for programs of asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, Unpack, cast, overload

from wscli.client import asked
from wscli.client.asked import Asked, Begin, Chosen
from wscli.client.feed import Feed
from wscli.client.link import Link
from wscli.client.matching import Match
from wscli.client.messages import Gap, Message
from wscli.control.client import ManagerGone
from wscli.control.protocol import result_of
from wscli.errors import NoInstance, TimedOut, WscliError

if TYPE_CHECKING:
    from wscli.control.messages import Stats, Status

__all__ = ["AsyncClient", "AsyncTail"]


T_co = TypeVar("T_co", covariant=True)


class AsyncClient(Chosen):
    """`wscli.Client` with the same methods, to be awaited; ``tail`` gives an asynchronous iterator.

    It holds no connection, and belongs to no event loop. A call that is cancelled hangs up: a message that was still
    waiting for its channel is not sent then.
    """

    @overload
    def tail(self, *channels: str, gaps: Literal[False], **begin: Unpack[Begin]) -> AsyncTail[Message]: ...

    @overload
    def tail(self, *channels: str, gaps: bool = True, **begin: Unpack[Begin]) -> AsyncTail[Message | Gap]: ...

    def tail(
        self,
        *channels: str,
        last: int | None = None,
        since: float | None = None,
        after: str | Mapping[str, str] | None = None,
        follow: bool = True,
        gaps: bool = True,
    ) -> AsyncTail[Any]:
        """Give the messages of channels, as `Client.tail`; it begins at ``async with``, else with the first item."""
        wanted = asked.tail(channels, last=last, since=since, after=after, follow=follow)
        return AsyncTail(self._connect, wanted, gaps=gaps)

    async def send(self, channel: str, message: str | bytes, *, timeout: float = 10.0) -> None:
        """Send a message, as `Client.send`."""
        await self._send(asked.send(channel, message, timeout))

    async def request(
        self, channel: str, message: str | bytes, match: Match, *, timeout: float = 10.0, expand: bool = True
    ) -> Message:
        """Send a message and give the first one after it that is its reply, as `Client.request`."""
        exchange = asked.exchange(channel, message, match, timeout, expand=expand)
        deadline = asyncio.get_running_loop().time() + timeout
        tail: AsyncTail[Message | Gap] = AsyncTail(self._connect, exchange.listen, gaps=True)
        async with tail as replies:  # first, so that no reply is missed
            left = max(deadline - asyncio.get_running_loop().time(), 0.0)
            awaited = exchange.reply_to(await self._send(exchange.send.within(left)))
            while True:
                try:
                    async with asyncio.timeout_at(deadline):
                        item = await replies.take()
                except TimeoutError:
                    raise awaited.overdue() from None
                except NoInstance as error:
                    raise awaited.gone(error) from None
                if item is None:
                    raise awaited.done()
                if awaited.is_reply(item):
                    return cast(Message, item)

    async def stats(self, *channels: str) -> Stats:
        """Give the object of ``wscli stats --json``; without names, of all channels."""
        stats: Stats = await self._ask(asked.stats(channels))
        return stats

    async def status(self, *channels: str) -> list[Status]:
        """Give the objects of ``wscli status --json``; without names, of all channels."""
        states: list[Status] = (await self._ask(asked.status(channels)))["channels"]
        return states

    async def wait(self, *channels: str, state: str = "ready", timeout: float | None = None) -> list[Status]:
        """Return once all of the channels are in a state, as `Client.wait`."""
        waiting = asked.wait(channels, state, timeout)
        states: list[Status]
        try:
            states = (await self._ask(waiting))["channels"]
        except TimedOut:
            if timeout is None:
                raise
            try:
                states = (await self._ask(waiting.look()))["channels"]
            except WscliError:
                states = []
            waiting.judge(states)
        return states

    async def token(self, name: str) -> str:
        """Give a token, as `Client.token`."""
        token: str = (await self._ask(asked.token(name)))["token"]
        return token

    async def _connect(self, timeout: float | None) -> Link:
        return await Link.open(self._selection, self._environ, timeout)

    async def _ask(self, one: Asked) -> Any:
        with await self._connect(one.timeout) as link:
            return await link.request(one)

    async def _send(self, one: Asked) -> Any:
        with await self._connect(one.timeout) as link:
            whole = await link.start(one)
            try:
                answer = await link.answer(one.timeout)
            except (ManagerGone, TimedOut) as error:
                raise one.lost(error, whole=whole) from None
            return result_of(answer)


class AsyncTail(AsyncIterator[T_co]):
    """Messages and gaps as they come: what ``AsyncClient.tail`` gives.

    A context manager that opens and closes it; one that is merely dropped closes itself. ``aclose`` also ends the
    iteration of another task.
    """

    def __init__(self, connect: Callable[[float | None], Awaitable[Link]], wanted: Asked, *, gaps: bool) -> None:
        self._connect = connect
        self._wanted = wanted
        self._gaps = gaps
        self._link: Link | None = None
        self._feed: Feed | None = None
        self._closed = False
        self._taking = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T_co:
        item = await self.take()
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
        self._close()

    def __del__(self) -> None:
        self._close()

    async def aclose(self) -> None:
        """Hang up; what has not been taken yet is dropped."""
        self._close()

    async def take(self) -> Message | Gap | None:
        """Give what comes next; None at the end. Cancelled, it loses nothing.

        Raises:
            WscliError: what the stream ended with.
            RuntimeError: another task is at it.

        """
        if self._taking:
            raise RuntimeError("another task already waits for the next message of this tail")
        self._taking = True
        try:
            return await self._take()
        finally:
            self._taking = False

    async def _take(self) -> Message | Gap | None:
        if not self._closed:
            await self._open()
        while self._link is not None and self._feed is not None:
            try:
                if (item := self._feed.take()) is not None:
                    return item
                if self._feed.ended:
                    self._close()
                else:
                    await self._link.receive(self._feed)
            except Exception:
                self._close()
                raise
        return None

    async def _open(self) -> None:
        if self._link is not None:
            return
        link = await self._connect(self._wanted.timeout)
        try:
            await link.request(self._wanted)
        except BaseException:
            link.close()
            raise
        self._link, self._feed = link, link.feed(gaps=self._gaps)
        if self._closed:  # by another task, meanwhile
            self._close()

    def _close(self) -> None:
        self._closed = True
        link, self._link = self._link, None
        if link is not None:
            link.close()
