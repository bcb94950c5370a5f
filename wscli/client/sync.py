"""``wscli.Client``: what the commands do, for programs that wait for each answer."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, Unpack, cast, overload

from wscli.client import requests
from wscli.client.base import ManagerClient
from wscli.client.messages import Gap, Message
from wscli.client.replies import Match
from wscli.client.requests import ApiRequest, Exchange, TailOptions
from wscli.client.tail import Tail
from wscli.control.client import ManagerConnection, ManagerGone, connect_to, deadline_after, left_until
from wscli.control.messages import ConsumerStatus, Stats, Status
from wscli.control.messages.attempts import Doctor
from wscli.control.protocol import result_of
from wscli.control.stream import FrameSocket
from wscli.errors import NoInstance, TimedOut, WscliError

__all__ = ["Client", "run_exchange"]


class Client(ManagerClient):
    """A manager's client. It holds no connection: each call opens its own, so that threads may share one client.

    Every method raises `NoInstance` where no manager runs, `UsageError` where nothing says which of several is meant,
    and `UnknownChannel` for a channel that the manager does not have; all of `wscli.errors`.
    """

    @overload
    def tail(self, *channels: str, gaps: Literal[False], **begin: Unpack[TailOptions]) -> Tail[Message]: ...

    @overload
    def tail(self, *channels: str, gaps: bool = True, **begin: Unpack[TailOptions]) -> Tail[Message | Gap]: ...

    def tail(
        self,
        *channels: str,
        last: int | None = None,
        since: float | None = None,
        after: str | Mapping[str, str] | None = None,
        follow: bool = True,
        gaps: bool = True,
        consumer: str | None = None,
    ) -> Tail[Any]:
        """Return the messages of channels, as ``wscli tail``; none that arrives after this call is missed.

        Args:
            channels: their names; the messages of several come in one iterator.
            last: begin with the last so many of each channel.
            since: begin with the messages of a time or later: seconds since the epoch.
            after: begin after a message's ``cursor``; with several channels a mapping of channels to cursors.
            follow: wait for more; false ends with the last message that is kept, and begins with the first.
            gaps: give gaps as well.
            consumer: go on at the position of the consumer of this name, and keep the position: a message
                counts as done once the next one is asked for, by ``Tail.ack``, or when ``with`` is left without an
                error. A new one begins with the oldest message that is kept, unless told otherwise.

        The iterator ends once a channel is done, and raises what the stream ended with: `ChannelUnavailable` or
        `AuthError` when a channel failed, is stopped or paused, `NoInstance` when the manager ended.
        A consumer that has another reader is a `WscliError`. A position that was not confirmed at the end is an
        `OutcomeUnknown`: the last messages may be delivered again.
        """
        wanted = requests.tail_request(channels, last=last, since=since, after=after, follow=follow, consumer=consumer)
        return self._listen(wanted, gaps=gaps)

    def send(self, channel: str, message: str | bytes, *, timeout: float = 10.0) -> None:
        """Send a message, text as text and bytes as binary; return once an open, ready connection took it.

        Args:
            channel: its name.
            message: what to send.
            timeout: seconds for the channel to be ready.

        Raises:
            NotSent: it certainly did not leave.
            OutcomeUnknown: the connection, or the manager, died before the outcome was known.
            ChannelUnavailable: the channel failed, or is stopped or paused.
            AuthError: it failed for its credentials.
            TypeError: the message is neither.
        """
        self._send(requests.send_request(channel, message, timeout))

    def request(
        self,
        channel: str,
        message: str | bytes,
        match: Match | None = None,
        *,
        raw_match: str | None = None,
        timeout: float = 10.0,
        expand: bool = True,
    ) -> Message:
        """Send a message and give the first one after it that is its reply.

        Args:
            channel: its name.
            message: what to send, as ``send`` does. In text ``{ref.int}``, ``{ref.str}`` or ``{ref.uuid}`` become a
                fresh id, and ``{{ref.int}`` becomes ``{ref.int}``.
            match: says whether a message is the reply: a function, or a jq expression on the parsed message, in which
                ``$ref`` is the id. Without it, the reply is what the session of the channel's endpoint declares.
            raw_match: a regex, as jq's ``test`` has it, that is found in the text of the reply, JSON or not; in it
                ``{ref.int}`` and the like are the id.
            timeout: seconds for all of it.
            expand: false sends text as it stands.

        Raises:
            TimedOut: no reply came in time.
            UsageError: the expression or regex is invalid, or the message has ids of two kinds; nothing was sent.
            WscliError: what ``send`` and ``tail`` raise.
        """
        return run_exchange(
            self, requests.exchange(channel, message, match, timeout, raw_match=raw_match, expand=expand)
        )

    def stats(self, *channels: str) -> Stats:
        """Give the object of ``wscli stats --json``; without names, of all channels."""
        return cast("Stats", self._ask(requests.channels_request("stats", channels)))

    def status(self, *channels: str) -> list[Status]:
        """Give the objects of ``wscli status --json``; without names, of all channels."""
        return cast("list[Status]", self._ask(requests.channels_request("status", channels))["channels"])

    def rotate(self, *channels: str) -> list[Status]:
        """Replace the connections of channels without closing them first, and give how they stand."""
        return cast("list[Status]", self._ask(requests.by_hand_request("rotate", channels))["channels"])

    def resubscribe(self, *channels: str) -> list[Status]:
        """Subscribe channels anew on their connections, and give how they stand.

        Raises:
            UsageError: no session subscribes one of them.
        """
        return cast("list[Status]", self._ask(requests.by_hand_request("resubscribe", channels))["channels"])

    def doctor(self, channel: str, *, dial: bool = False) -> Doctor:
        """Give the object of ``wscli doctor --json``; ``dial`` opens a second connection, and closes it."""
        return cast("Doctor", self._ask(requests.doctor_request(channel, dial=dial)))

    def consumers(self, *channels: str) -> list[ConsumerStatus]:
        """Give the objects of ``wscli consumer ls --json``; without names, of all channels."""
        return cast("list[ConsumerStatus]", self._ask(requests.consumers_request(channels))["consumers"])

    def reset_consumer(self, channel: str, name: str, to: str = "start") -> None:
        """Move a consumer to the ``start`` of what is kept, to its ``end``, or behind a message's cursor.

        Raises:
            WscliError: there is no such consumer, or it has a reader.
        """
        self._ask(requests.reset_consumer_request(channel, name, to))

    def remove_consumer(self, channel: str, name: str) -> None:
        """Forget a consumer.

        Raises:
            WscliError: there is no such consumer, or it has a reader.
        """
        self._ask(requests.remove_consumer_request(channel, name))

    def wait(self, *channels: str, state: str = "ready", timeout: float | None = None) -> list[Status]:
        """Return once all of the channels are in a state, with how they stand.

        Args:
            channels: their names; waiting for ``ready`` opens lazy ones.
            state: a state's name, as ``wscli wait --for``.
            timeout: seconds; None waits for ever.

        Raises:
            TimedOut: they are not in that state within ``timeout``.
            ChannelUnavailable: one settled in another state.
            AuthError: one failed for its credentials.
        """
        waiting = requests.wait_request(channels, state, timeout)
        deadline = deadline_after(timeout)
        with self._connect(timeout) as connection:
            try:
                left = left_until(deadline)
                states: list[Status] = connection.request(waiting.verb, waiting.args, timeout=left)["channels"]
            except TimedOut:
                if timeout is None:
                    raise
                states = self._states(waiting)  # before it hangs up: a lazy channel would be idle
                waiting.check_reached(states)
        return states

    def token(self, name: str) -> str:
        """Give a token, as ``wscli token get``; it is fetched only if no valid one is cached.

        Raises:
            AuthError: it cannot be fetched.
        """
        return cast("str", self._ask(requests.token_request(name))["token"])

    def _connect(self, timeout: float | None) -> ManagerConnection:
        return connect_to(self._selection, self._environ, timeout=timeout)

    def _ask(self, one: ApiRequest) -> Any:
        deadline = deadline_after(one.timeout)
        with self._connect(one.timeout) as connection:
            return connection.request(one.verb, one.args, timeout=left_until(deadline))

    def _states(self, of: ApiRequest) -> list[Status]:
        with contextlib.suppress(WscliError, OSError):
            return cast("list[Status]", self._ask(of.states())["channels"])
        return []

    def _send(self, one: ApiRequest) -> Any:
        deadline = deadline_after(one.timeout)
        with self._connect(one.timeout) as connection:
            whole = connection.start(one.verb, one.args, payload=one.payload, timeout=left_until(deadline))
            try:
                answer = connection.answer(timeout=left_until(deadline))
            except (ManagerGone, TimedOut) as error:
                raise one.lost(error, whole=whole) from None
            return result_of(answer)

    def _listen(self, one: ApiRequest, *, gaps: bool) -> Tail[Any]:
        deadline = deadline_after(one.timeout)
        connection = self._connect(one.timeout)
        try:
            after = one.begun(connection.request(one.verb, one.args, timeout=left_until(deadline)))
            return Tail(FrameSocket(*connection.take_over()), gaps=gaps, after=after)
        except BaseException:
            connection.close()
            raise


def run_exchange(client: Client, exchange: Exchange, *, on_sent: Callable[[], None] | None = None) -> Message:
    """Send a message and give its reply: what ``Client.request`` does.

    Args:
        client: whose manager it is.
        exchange: what to send, and what the reply is.
        on_sent: called once the message was handed over; what is raised later does not change that.

    Raises:
        WscliError: what ``Client.request`` raises.
    """
    if exchange.match is None:
        return exchange.reply_in(client._send(exchange.send))
    deadline = time.monotonic() + exchange.timeout
    with client._listen(exchange.listen, gaps=True) as replies:  # first, so that no reply is missed
        handed = client._send(exchange.send.within(max(deadline - time.monotonic(), 0.0)))
        if on_sent is not None:
            on_sent()
        awaited = exchange.reply_to(handed)
        while True:
            try:
                item = replies.next_item(deadline)
            except TimeoutError:
                raise awaited.overdue(client._states(exchange.listen)) from None
            except NoInstance as error:
                raise awaited.gone(error) from None
            if item is None:
                raise awaited.done()
            if awaited.is_reply(item, deadline):
                return cast(Message, item)
