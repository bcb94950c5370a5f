"""``wscli.AsyncClient``: what the commands do, for programs of asyncio."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, Unpack, cast, overload

from wscli.client import requests
from wscli.client.base import ManagerClient
from wscli.client.link import AsyncManagerConnection
from wscli.client.messages import Gap, Message
from wscli.client.replies import Match
from wscli.client.requests import ApiRequest, TailOptions
from wscli.control.client import ManagerGone, deadline_after, left_until
from wscli.control.messages import ConsumerStatus, Stats, Status
from wscli.control.messages.attempts import Doctor
from wscli.control.protocol import result_of
from wscli.errors import NoInstance, TimedOut, WscliError

__all__ = ["AsyncClient", "AsyncTail"]

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
        """Acknowledge everything taken so far, without asking for more.

        Raises:
            UsageError: the tail has no consumer.
        """
        if not self._wanted.consumes:
            raise requests.no_consumer()
        if self._link is not None:
            await self._link.acknowledged()

    async def next_item(self) -> Message | Gap | None:
        """Return the next message or gap; None at the end. A call that is cancelled loses nothing.

        Raises:
            OutcomeUnknown: at the end, where the manager did not confirm the position of a consumer.
            WscliError: what the stream ended with.
            RuntimeError: another task waits for the next message already.
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
        if self._link is not None:
            self._link.acknowledge()  # without room, the next one includes it
        while self._link is not None:
            try:
                item = self._link.feed.next_item()
                if item is None and not self._link.feed.ended:
                    await self._link.acknowledged()
                    if not self._closed:  # by another task, meanwhile
                        await self._link.receive()
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
        deadline = deadline_after(self._wanted.timeout)
        link = await self._connect(self._wanted.timeout)
        try:
            await link.listen(self._wanted._replace(timeout=left_until(deadline)), gaps=self._gaps)
        except BaseException:
            link.close()
            raise
        self._link = link
        if self._closed:  # by another task, meanwhile
            self._close()

    async def _finish(self, *, done: bool) -> None:
        try:
            if self._link is not None and self._wanted.consumes:
                await self._link.confirmed(done=done)
        finally:
            self._close()

    async def _part(self, *, done: bool) -> None:
        with contextlib.suppress(WscliError):  # there is an error already, and delivery is at least once
            await self._finish(done=done)

    def _close(self) -> None:
        self._closed = True
        link, self._link = self._link, None
        if link is not None:
            link.close()


class AsyncClient(ManagerClient):
    """`wscli.Client` with the same methods, to be awaited; ``tail`` gives an asynchronous iterator.

    It holds no connection, and belongs to no event loop. A call that is cancelled hangs up: a message that was still
    waiting for its channel is not sent then.
    """

    @overload
    def tail(self, *channels: str, gaps: Literal[False], **begin: Unpack[TailOptions]) -> AsyncTail[Message]: ...

    @overload
    def tail(self, *channels: str, gaps: bool = True, **begin: Unpack[TailOptions]) -> AsyncTail[Message | Gap]: ...

    def tail(
        self,
        *channels: str,
        last: int | None = None,
        since: float | None = None,
        after: str | Mapping[str, str] | None = None,
        follow: bool = True,
        gaps: bool = True,
        consumer: str | None = None,
    ) -> AsyncTail[Any]:
        """Give the messages of channels, as `Client.tail`; it begins at ``async with``, else with the first item."""
        wanted = requests.tail_request(channels, last=last, since=since, after=after, follow=follow, consumer=consumer)
        return AsyncTail(self._connect, wanted, gaps=gaps)

    async def send(self, channel: str, message: str | bytes, *, timeout: float = 10.0) -> None:
        """Send a message, as `Client.send`."""
        await self._send(requests.send_request(channel, message, timeout))

    async def request(
        self,
        channel: str,
        message: str | bytes,
        match: Match | None = None,
        *,
        raw_match: str | None = None,
        timeout: float = 10.0,
        expand: bool = True,
    ) -> Message:
        """Send a message and give the first one after it that is its reply, as `Client.request`."""
        exchange = requests.exchange(channel, message, match, timeout, raw_match=raw_match, expand=expand)
        if exchange.match is None:
            return exchange.reply_in(await self._send(exchange.send))
        deadline = asyncio.get_running_loop().time() + timeout
        tail: AsyncTail[Message | Gap] = AsyncTail(self._connect, exchange.listen, gaps=True)
        async with tail as replies:  # first, so that no reply is missed
            left = max(deadline - asyncio.get_running_loop().time(), 0.0)
            awaited = exchange.reply_to(await self._send(exchange.send.within(left)))
            while True:
                try:
                    async with asyncio.timeout_at(deadline):
                        item = await replies.next_item()
                except TimeoutError:
                    raise awaited.overdue(await self._states(exchange.listen)) from None
                except NoInstance as error:
                    raise awaited.gone(error) from None
                if item is None:
                    raise awaited.done()
                if not awaited.evaluates:
                    found = awaited.is_reply(item)
                else:
                    until = time.monotonic() + deadline - asyncio.get_running_loop().time()
                    found = await asyncio.to_thread(awaited.is_reply, item, until)
                if found:
                    return cast(Message, item)

    async def stats(self, *channels: str) -> Stats:
        """Give the object of ``wscli stats --json``; without names, of all channels."""
        return cast("Stats", await self._ask(requests.channels_request("stats", channels)))

    async def status(self, *channels: str) -> list[Status]:
        """Give the objects of ``wscli status --json``; without names, of all channels."""
        return cast("list[Status]", (await self._ask(requests.channels_request("status", channels)))["channels"])

    async def rotate(self, *channels: str) -> list[Status]:
        """Replace the connections of channels without closing them first, and give how they stand."""
        return cast("list[Status]", (await self._ask(requests.by_hand_request("rotate", channels)))["channels"])

    async def resubscribe(self, *channels: str) -> list[Status]:
        """Subscribe channels anew on their connections, as `Client.resubscribe`."""
        return cast("list[Status]", (await self._ask(requests.by_hand_request("resubscribe", channels)))["channels"])

    async def doctor(self, channel: str, *, dial: bool = False) -> Doctor:
        """Give the object of ``wscli doctor --json``; ``dial`` opens a second connection, and closes it."""
        return cast("Doctor", await self._ask(requests.doctor_request(channel, dial=dial)))

    async def consumers(self, *channels: str) -> list[ConsumerStatus]:
        """Give the objects of ``wscli consumer ls --json``; without names, of all channels."""
        return cast("list[ConsumerStatus]", (await self._ask(requests.consumers_request(channels)))["consumers"])

    async def reset_consumer(self, channel: str, name: str, to: str = "start") -> None:
        """Move a consumer to another position, as `Client.reset_consumer`."""
        await self._ask(requests.reset_consumer_request(channel, name, to))

    async def remove_consumer(self, channel: str, name: str) -> None:
        """Forget a consumer, as `Client.remove_consumer`."""
        await self._ask(requests.remove_consumer_request(channel, name))

    async def wait(self, *channels: str, state: str = "ready", timeout: float | None = None) -> list[Status]:
        """Return once all of the channels are in a state, as `Client.wait`."""
        waiting = requests.wait_request(channels, state, timeout)
        deadline = deadline_after(waiting.timeout)
        with await self._connect(waiting.timeout) as link:
            try:
                left = waiting._replace(timeout=left_until(deadline))
                states: list[Status] = (await link.request(left))["channels"]
            except TimedOut:
                if timeout is None:
                    raise
                states = await self._states(waiting)  # before it hangs up: a lazy channel would be idle
                waiting.check_reached(states)
        return states

    async def token(self, name: str) -> str:
        """Give a token, as `Client.token`."""
        return cast("str", (await self._ask(requests.token_request(name)))["token"])

    async def _connect(self, timeout: float | None) -> AsyncManagerConnection:
        return await AsyncManagerConnection.open(self._selection, self._environ, timeout)

    async def _ask(self, one: ApiRequest) -> Any:
        deadline = deadline_after(one.timeout)
        with await self._connect(one.timeout) as link:
            return await link.request(one._replace(timeout=left_until(deadline)))

    async def _states(self, of: ApiRequest) -> list[Status]:
        with contextlib.suppress(WscliError, OSError):
            return cast("list[Status]", (await self._ask(of.states()))["channels"])
        return []

    async def _send(self, one: ApiRequest) -> Any:
        deadline = deadline_after(one.timeout)
        with await self._connect(one.timeout) as link:
            whole = await link.start(one._replace(timeout=left_until(deadline)))
            try:
                answer = await link.answer(left_until(deadline))
            except (ManagerGone, TimedOut) as error:
                raise one.lost(error, whole=whole) from None
            return result_of(answer)
