"""``wscli.AsyncClient``: what the commands do, for programs of asyncio."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Literal, Unpack, cast, overload

from wscli.client import requests
from wscli.client.aiotail import AsyncTail
from wscli.client.base import ManagerClient
from wscli.client.link import AsyncManagerConnection
from wscli.client.matching import Match
from wscli.client.messages import Gap, Message
from wscli.client.requests import ApiRequest, TailOptions
from wscli.control.client import ManagerGone
from wscli.control.messages import ConsumerStatus
from wscli.control.protocol import result_of
from wscli.control.reports import Stats, Status
from wscli.errors import NoInstance, TimedOut, WscliError

__all__ = ["AsyncClient", "AsyncTail"]


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
        self, channel: str, message: str | bytes, match: Match, *, timeout: float = 10.0, expand: bool = True
    ) -> Message:
        """Send a message and give the first one after it that is its reply, as `Client.request`."""
        exchange = requests.exchange(channel, message, match, timeout, expand=expand)
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
                    raise awaited.overdue() from None
                except NoInstance as error:
                    raise awaited.gone(error) from None
                if item is None:
                    raise awaited.done()
                if awaited.is_reply(item):
                    return cast(Message, item)

    async def stats(self, *channels: str) -> Stats:
        """Give the object of ``wscli stats --json``; without names, of all channels."""
        stats: Stats = await self._ask(requests.stats_request(channels))
        return stats

    async def status(self, *channels: str) -> list[Status]:
        """Give the objects of ``wscli status --json``; without names, of all channels."""
        states: list[Status] = (await self._ask(requests.status_request(channels)))["channels"]
        return states

    async def consumers(self, *channels: str) -> list[ConsumerStatus]:
        """Give the objects of ``wscli consumer ls --json``; without names, of all channels."""
        found: list[ConsumerStatus] = (await self._ask(requests.consumers_request(channels)))["consumers"]
        return found

    async def reset_consumer(self, channel: str, name: str, to: str = "start") -> None:
        """Have a consumer begin elsewhere, as `Client.reset_consumer`."""
        await self._ask(requests.reset_consumer_request(channel, name, to))

    async def remove_consumer(self, channel: str, name: str) -> None:
        """Forget a consumer, as `Client.remove_consumer`."""
        await self._ask(requests.remove_consumer_request(channel, name))

    async def wait(self, *channels: str, state: str = "ready", timeout: float | None = None) -> list[Status]:
        """Return once all of the channels are in a state, as `Client.wait`."""
        waiting = requests.wait_request(channels, state, timeout)
        states: list[Status]
        try:
            states = (await self._ask(waiting))["channels"]
        except TimedOut:
            if timeout is None:
                raise
            try:
                states = (await self._ask(waiting.states()))["channels"]
            except WscliError:
                states = []
            waiting.check_reached(states)
        return states

    async def token(self, name: str) -> str:
        """Give a token, as `Client.token`."""
        token: str = (await self._ask(requests.token_request(name)))["token"]
        return token

    async def _connect(self, timeout: float | None) -> AsyncManagerConnection:
        return await AsyncManagerConnection.open(self._selection, self._environ, timeout)

    async def _ask(self, one: ApiRequest) -> Any:
        with await self._connect(one.timeout) as link:
            return await link.request(one)

    async def _send(self, one: ApiRequest) -> Any:
        with await self._connect(one.timeout) as link:
            whole = await link.start(one)
            try:
                answer = await link.answer(one.timeout)
            except (ManagerGone, TimedOut) as error:
                raise one.lost(error, whole=whole) from None
            return result_of(answer)
