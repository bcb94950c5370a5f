"""``wscli.Client``: what the commands do, for programs that wait for each answer."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from threading import Event
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, Unpack, cast, overload

from wscli.client import asked
from wscli.client.asked import Asked, Begin, Chosen, Exchange
from wscli.client.feed import Feed
from wscli.client.matching import Match
from wscli.client.messages import Gap, Message
from wscli.control.client import Client as Connection
from wscli.control.client import ManagerGone
from wscli.control.protocol import result_of
from wscli.control.selection import select
from wscli.errors import NoInstance, TimedOut, WscliError

if TYPE_CHECKING:
    from wscli.control.messages import Stats, Status

__all__ = ["Client", "Tail", "carry_out"]


T_co = TypeVar("T_co", covariant=True)


class Client(Chosen):
    """A manager's client. It holds no connection: each call opens its own, so that threads may share one client.

    Every method raises `NoInstance` where no manager runs, `UsageError` where nothing says which of several is meant,
    and `UnknownChannel` for a channel that the manager does not have; all of `wscli.errors`.
    """

    @overload
    def tail(self, *channels: str, gaps: Literal[False], **begin: Unpack[Begin]) -> Tail[Message]: ...

    @overload
    def tail(self, *channels: str, gaps: bool = True, **begin: Unpack[Begin]) -> Tail[Message | Gap]: ...

    def tail(
        self,
        *channels: str,
        last: int | None = None,
        since: float | None = None,
        after: str | Mapping[str, str] | None = None,
        follow: bool = True,
        gaps: bool = True,
    ) -> Tail[Any]:
        """Give the messages of channels, as ``wscli tail``; nothing that comes after this returned is missed.

        Args:
            channels: their names; the messages of several come in one iterator.
            last: begin with the last so many of each channel.
            since: begin with what came at a time or later: seconds since the epoch.
            after: begin after a message's ``cursor``; with several channels a mapping of channels to cursors.
            follow: wait for more; false ends with the last message that is kept, and begins with the first.
            gaps: give gaps as well.

        The iterator ends once a channel is done, and raises what the stream ended with: `ChannelUnavailable` or
        `AuthError` when a channel is of no use any more, `NoInstance` when the manager went.

        """
        wanted = asked.tail(channels, last=last, since=since, after=after, follow=follow)
        return self._listen(wanted, gaps=gaps)

    def send(self, channel: str, message: str | bytes, *, timeout: float = 10.0) -> None:
        """Send a message, text as text and bytes as binary; return once an open, ready connection took it.

        Args:
            channel: its name.
            message: what to send.
            timeout: seconds for the channel to be ready.

        Raises:
            NotSent: it certainly did not leave.
            OutcomeUnknown: the connection, or the manager, died before anybody could know.
            ChannelUnavailable: the channel failed, or is stopped or paused.
            AuthError: it failed for its credentials.
            TypeError: the message is neither.

        """
        self._send(asked.send(channel, message, timeout))

    def request(
        self, channel: str, message: str | bytes, match: Match, *, timeout: float = 10.0, expand: bool = True
    ) -> Message:
        """Send a message and give the first one after it that is its reply.

        Args:
            channel: its name.
            message: what to send, as ``send`` does. In text ``{ref.int}``, ``{ref.str}`` or ``{ref.uuid}`` become a
                fresh id, and ``{{ref.int}`` becomes ``{ref.int}``.
            match: says whether a message is the reply: a function, or a jq expression on the parsed message, in which
                ``$ref`` is the id.
            timeout: seconds for all of it.
            expand: false sends text as it stands.

        Raises:
            TimedOut: no reply came in time.
            UsageError: the jq expression does not compile, or the message has ids of two kinds; nothing was sent.
            WscliError: what ``send`` and ``tail`` raise.

        """
        return carry_out(self, asked.exchange(channel, message, match, timeout, expand=expand))

    def stats(self, *channels: str) -> Stats:
        """Give the object of ``wscli stats --json``; without names, of all channels."""
        stats: Stats = self._ask(asked.stats(channels))
        return stats

    def status(self, *channels: str) -> list[Status]:
        """Give the objects of ``wscli status --json``; without names, of all channels."""
        states: list[Status] = self._ask(asked.status(channels))["channels"]
        return states

    def wait(self, *channels: str, state: str = "ready", timeout: float | None = None) -> list[Status]:
        """Return once all of the channels are in a state, with how they stand.

        Args:
            channels: their names; waiting for ``ready`` opens lazy ones.
            state: a state's name, as ``wscli wait --for``.
            timeout: seconds; None waits for ever.

        Raises:
            TimedOut: they are not within ``timeout``.
            ChannelUnavailable: one never will be.
            AuthError: one failed for its credentials.

        """
        waiting = asked.wait(channels, state, timeout)
        states: list[Status]
        try:
            states = self._ask(waiting)["channels"]
        except TimedOut:
            if timeout is None:
                raise
            try:
                states = self._ask(waiting.look())["channels"]
            except WscliError:
                states = []
            waiting.judge(states)
        return states

    def token(self, name: str) -> str:
        """Give a token, as ``wscli token get``; it is fetched only if there is none that is valid.

        Raises:
            AuthError: it cannot be had.

        """
        token: str = self._ask(asked.token(name))["token"]
        return token

    def _connect(self) -> Connection:
        return Connection(*select(self._selection, self._environ))

    def _ask(self, one: Asked) -> Any:
        with self._connect() as connection:
            return connection.request(one.verb, one.args, timeout=one.timeout)

    def _send(self, one: Asked) -> Any:
        with self._connect() as connection:
            whole = connection.start(one.verb, one.args, payload=one.payload, timeout=one.timeout)
            try:
                answer = connection.answer(timeout=one.timeout)
            except (ManagerGone, TimedOut) as error:
                raise one.lost(error, whole=whole) from None
            return result_of(answer)

    def _listen(self, one: Asked, *, gaps: bool) -> Tail[Any]:
        connection = self._connect()
        try:
            connection.request(one.verb, one.args, timeout=one.timeout)
            sock, rest = connection.take_over()
            return Tail(sock, Feed(rest, gaps=gaps))
        except BaseException:
            connection.close()
            raise


class Tail(Iterator[T_co]):
    """Messages and gaps as they come: what ``Client.tail`` gives.

    A context manager that closes it; one that is merely dropped closes itself. Another thread may close it as well,
    which ends the iteration.
    """

    def __init__(self, sock: socket.socket, feed: Feed) -> None:
        self._sock = sock
        self._feed = feed
        self._closed = Event()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T_co:
        item = self.take()
        if item is None:
            raise StopIteration
        return cast(T_co, item)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        self._sock.close()

    def close(self) -> None:
        """Hang up; what has not been taken yet is dropped."""
        self._closed.set()
        with contextlib.suppress(OSError):  # that it is closed already
            self._sock.shutdown(socket.SHUT_RDWR)  # wakes a thread that waits for it
        self._sock.close()

    def take(self, deadline: float | None = None) -> Message | Gap | None:
        """Give what comes next; None at the end.

        Args:
            deadline: until when to wait, by ``time.monotonic``.

        Raises:
            TimeoutError: nothing came until then; more may come.
            WscliError: what the stream ended with.

        """
        while not self._closed.is_set():
            try:
                if (item := self._feed.take()) is not None:
                    return item
                if self._feed.ended:
                    self.close()
                else:
                    self._receive(deadline)
            except TimeoutError:
                raise
            except Exception:
                if self._closed.is_set():  # by another thread, meanwhile
                    break
                self.close()
                raise
        return None

    def _receive(self, deadline: float | None) -> None:
        left = None if deadline is None else deadline - time.monotonic()
        if left is not None and left <= 0:
            raise TimeoutError
        self._sock.settimeout(left)
        try:
            count = self._sock.recv_into(self._feed.space())
        except ConnectionResetError:
            count = 0
        self._feed.received(count)


def carry_out(client: Client, exchange: Exchange, *, on_sent: Callable[[], None] | None = None) -> Message:
    """Send a message and give its reply: what ``Client.request`` does.

    Args:
        client: whose manager it is.
        exchange: what to send, and what the reply is.
        on_sent: called once the message was handed over; what is raised later does not change that.

    Raises:
        WscliError: what ``Client.request`` raises.

    """
    deadline = time.monotonic() + exchange.timeout
    with client._listen(exchange.listen, gaps=True) as replies:  # first, so that no reply is missed
        handed = client._send(exchange.send.within(max(deadline - time.monotonic(), 0.0)))
        if on_sent is not None:
            on_sent()
        awaited = exchange.reply_to(handed)
        while True:
            try:
                item = replies.take(deadline)
            except TimeoutError:
                raise awaited.overdue() from None
            except NoInstance as error:
                raise awaited.gone(error) from None
            if item is None:
                raise awaited.done()
            if awaited.is_reply(item):
                return cast(Message, item)
