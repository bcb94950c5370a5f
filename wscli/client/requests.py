"""The requests of the Python API, validated and built from the methods' arguments; both clients share them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypedDict, cast

from wscli.client.messages import Message, message_in
from wscli.client.replies import Match, PendingReply, RawMatch, check_match
from wscli.control.client import ANSWER_GRACE, STATES_DEADLINE
from wscli.control.messages import SendReceipt, Status
from wscli.control.protocol import BLOCK_LIMIT, COUNT_LIMIT, STATES, State
from wscli.control.requests import (
    ChannelsRequest,
    ConsumerChange,
    ConsumeRequest,
    ConsumerList,
    ConsumerReset,
    DoctorRequest,
    NamedChannels,
    ReadingOptions,
    SendRequest,
    TailRequest,
    TokenRequest,
    WaitRequest,
    refers,
)
from wscli.control.selection import hook_of
from wscli.control.text import state_text
from wscli.errors import NoInstance, NotSent, OutcomeUnknown, TimedOut, UsageError, WscliError

__all__ = [
    "ApiRequest",
    "TailOptions",
    "Exchange",
    "by_hand_request",
    "channels_request",
    "consumers_request",
    "doctor_request",
    "exchange",
    "no_consumer",
    "remove_consumer_request",
    "reset_consumer_request",
    "send_request",
    "tail_request",
    "token_request",
    "wait_request",
]

_ANSWER = 30.0  # seconds for the manager to answer what it knows at once
_FETCH = 120.0  # seconds for a token to be fetched; its source has a shorter deadline of its own
_DIAL = 300.0  # seconds for a dial with its token and its place in the connect budget, which have their own deadlines
_LONGEST = 1e9  # seconds; the manager takes no more


class TailOptions(TypedDict, total=False):
    """The options of `Client.tail` except ``gaps``: where it begins, whether it follows, and its consumer."""

    last: int | None
    since: float | None
    after: str | Mapping[str, str] | None
    follow: bool
    consumer: str | None


class ApiRequest(NamedTuple):
    """One request."""

    verb: str
    args: Mapping[str, Any]
    timeout: float | None
    """Seconds to wait for the answer."""
    payload: bytes = b""

    @property
    def consumes(self) -> bool:
        """Whether the messages of its stream are acknowledged."""
        return self.verb == "consume"

    def begun(self, result: dict[str, Any]) -> int | None:
        """Return the number before a consumer's first message, from the answer; None for other streams."""
        begins = result["channels"].values()
        return next(iter(begins))["after"] if self.consumes else None

    def within(self, seconds: float) -> ApiRequest:
        """Return the same send with another deadline."""
        return self._replace(args={**self.args, "timeout": seconds}, timeout=seconds + ANSWER_GRACE)

    def lost(self, error: NoInstance | TimedOut, *, whole: bool) -> WscliError:
        """Return the error for a send without an answer; ``whole``: the manager received all of it."""
        kind = OutcomeUnknown if whole else NotSent
        return kind(error.message, error.hint)

    def states(self) -> ApiRequest:
        """Return the request for the states of its channels, for the error of its deadline."""
        return ApiRequest("status", {"channels": self.args["channels"]}, STATES_DEADLINE)

    def check_reached(self, states: Sequence[Status]) -> None:
        """Accept a wait whose deadline has passed if all channels are in the state by now.

        Raises:
            TimedOut: one is not, or the states are unknown.
        """
        wanted = self.args["for"]
        others = [one for one in states if one["state"] != wanted]
        if others or not states:
            stands = "".join(f": {one['channel']} is {state_text(one)}" for one in others[:1])
            raise TimedOut(f"not {wanted} within {self.timeout:g} s{stands}", "a longer timeout waits longer")


class Exchange(NamedTuple):
    """A message and its reply on the same channel: the reader to open first, then the send."""

    listen: ApiRequest
    send: ApiRequest
    match: Match | None
    """None: the manager finds the reply, as the channel's session declares it; there is nothing to listen to."""
    timeout: float
    """Seconds for all of it."""
    called: str
    """What errors call the reply."""

    def reply_to(self, handed: SendReceipt) -> PendingReply:
        """Begin to wait for the reply, after the send was confirmed."""
        channel = self.send.args["channel"]
        assert self.match is not None  # noqa: S101 - else it came with the receipt
        return PendingReply(self.match, handed, channel=channel, called=self.called, timeout=self.timeout)

    def reply_in(self, handed: SendReceipt) -> Message:
        """Give the reply that came with the receipt; its place is behind the last message before the request."""
        epoch, _, seq = handed["after"].rpartition(":")
        return message_in({**handed["reply"], "channel": self.send.args["channel"], "epoch": epoch, "seq": int(seq)})


def tail_request(
    channels: tuple[str, ...],
    *,
    last: int | None,
    since: float | None,
    after: str | Mapping[str, str] | None,
    follow: bool,
    consumer: str | None = None,
) -> ApiRequest:
    """Ask for messages as records, as a named consumer if one is given."""
    if sum(one is not None for one in (last, since, after)) > 1:
        raise UsageError("last, since and after exclude each other", "each says where to begin: give one")
    names = _names(channels, required=True)
    if last is not None and last < 0:
        raise UsageError(f"invalid last: {last}", "it must be at least 0")
    if isinstance(after, str):
        if len(set(names)) > 1:
            raise UsageError("after, a cursor, goes with one channel", "give {channel: cursor} where there are several")
        after = {names[0]: after}
    options: ReadingOptions = {
        "format": "json",
        "last": None if last is None else min(last, COUNT_LIMIT),
        "since": since,
        "after": None if after is None else dict(after),
        "follow": follow,
    }
    if consumer is None:
        return ApiRequest("tail", TailRequest(**options, channels=names), _ANSWER)
    if len(set(names)) > 1:
        raise UsageError("consumer goes with one channel", "a consumer has a place in one channel's history")
    consuming = ConsumeRequest(**options, channel=names[0], consumer=consumer, pid=os.getpid(), claim=None)
    return ApiRequest("consume", consuming, _ANSWER)


def consumers_request(channels: tuple[str, ...]) -> ApiRequest:
    """Ask for the named consumers of channels."""
    return ApiRequest("consumer", ConsumerList(action="ls", channels=_names(channels)), _ANSWER)


def reset_consumer_request(channel: str, name: str, to: str) -> ApiRequest:
    """Ask to move a consumer to another position."""
    args = ConsumerReset(action="reset", channel=_names((channel,))[0], name=name, to=to)
    return ApiRequest("consumer", args, _ANSWER)


def remove_consumer_request(channel: str, name: str) -> ApiRequest:
    """Ask to forget a consumer."""
    return ApiRequest("consumer", ConsumerChange(action="rm", channel=_names((channel,))[0], name=name), _ANSWER)


def no_consumer() -> UsageError:
    """Return the error for an acknowledgement on a tail that has no consumer."""
    return UsageError("a tail without a consumer has nothing to acknowledge", "name one: tail(channel, consumer=...)")


def send_request(channel: str, message: str | bytes, timeout: float) -> ApiRequest:
    """Ask that one message is sent."""
    payload = _payload(message)
    args: SendRequest = {
        "channel": _names((channel,))[0],
        "binary": isinstance(message, bytes),
        "timeout": _seconds(timeout),
        "bytes": len(payload),
        "framing": "whole",
    }
    return ApiRequest("send", args, timeout + ANSWER_GRACE, payload)


def exchange(
    channel: str,
    message: str | bytes,
    match: Match | None,
    timeout: float,
    *,
    raw_match: str | None = None,
    expand: bool = True,
    called: str = "reply",
) -> Exchange:
    """Prepare a message and its reply; ``expand`` has the references of text filled."""
    if raw_match is not None:
        if match is not None:
            raise UsageError("match and raw_match both say what the reply is", "give one of them")
        match = RawMatch(raw_match)
    sending = send_request(channel, message, timeout)
    filled = expand and isinstance(message, str)
    if match is not None:
        check_match(match, refers=filled and refers(str(message)))
    sending = sending._replace(args={**sending.args, "refs": filled, "reply": match is None})
    listening = tail_request((channel,), last=None, since=None, after=None, follow=True)
    return Exchange(listening._replace(timeout=timeout), sending, match, timeout, called)


def channels_request(verb: Literal["stats", "status"], channels: tuple[str, ...]) -> ApiRequest:
    """Ask for the counters or the states."""
    return ApiRequest(verb, ChannelsRequest(channels=_names(channels)), _ANSWER)


def by_hand_request(verb: Literal["rotate", "resubscribe"], channels: tuple[str, ...]) -> ApiRequest:
    """Ask for what is done to channels by hand."""
    return ApiRequest(verb, NamedChannels(channels=_names(channels, required=True)), _ANSWER)


def doctor_request(channel: str, *, dial: bool) -> ApiRequest:
    """Ask for a channel's last attempt, or for one of its own."""
    args = DoctorRequest(channel=_names((channel,))[0], dial=dial)
    return ApiRequest("doctor", args, _DIAL if dial else _ANSWER)


def wait_request(channels: tuple[str, ...], state: str, timeout: float | None) -> ApiRequest:
    """Ask for an answer as soon as the channels are in a state."""
    if state not in STATES:
        raise UsageError(f"invalid state: {state!r}", f"a state is one of {', '.join(STATES)}")
    args: WaitRequest = {"channels": _names(channels, required=True), "for": cast("State", state)}
    return ApiRequest("wait", args, None if timeout is None else _seconds(timeout))


def token_request(name: str) -> ApiRequest:
    """Ask for a token."""
    return ApiRequest("token", TokenRequest(action="get", name=name, hook=hook_of()), _FETCH)


def _names(channels: tuple[str, ...], *, required: bool = False) -> list[str]:
    for one in channels:
        if not isinstance(one, str):
            raise TypeError(f"a channel name must be a str, not {one!r}")
    if required and not channels:
        raise UsageError("no channel is given", "`wscli status` lists the channels")
    return list(channels)


def _seconds(timeout: float) -> float:
    if not 0 <= timeout < _LONGEST:  # which refuses NaN as well
        raise UsageError(f"invalid timeout: {timeout}", "it must be a number of seconds, at least 0 and under 1e9")
    return timeout


def _payload(message: object) -> bytes:
    if isinstance(message, bytes):
        payload = message
    elif isinstance(message, str):
        try:
            payload = message.encode()
        except UnicodeEncodeError as error:  # RFC 6455, section 5.6: a text message is UTF-8
            raise NotSent(
                f"the message cannot be UTF-8: character {error.start} is a lone surrogate",
                "bytes are sent as they are",
            ) from None
    else:
        raise TypeError(f"a message must be str (text) or bytes (binary), not {type(message).__name__}")
    if len(payload) > BLOCK_LIMIT:
        raise NotSent(f"a message of {len(payload)} bytes is over {BLOCK_LIMIT >> 20} MiB", "send it in smaller ones")
    return payload
